"""Test situations of the benchmark: what is damaged, how, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.benchmark.part import Part
from qmf.corruptions import corrupt_vectors, paper_hit, swap_partner
from qmf.randomness import keyed_generator

__all__ = ["CLEAN", "VECTOR_SUITE", "Condition", "damaged_part", "missing_patterns"]

_CONFLICT_NOISE = 0.5  # of each feature's training range


@dataclass(frozen=True)
class Condition:
    """One test situation.

    Attributes
    ----------
    name : str
        What tables call it.
    family : str
        What belongs on one curve: "gaussian"; the name itself where there is one severity.
    severity : float
        Place on that curve; 0 is clean.
    corruption : str
        A vector corruption of `qmf.corruptions.CORRUPTIONS`; "swapped", "conflicting" or "" for none.
    parameters : dict of str to float
        Of the corruption.
    damages : dict of str to str
        For raw data instead: modality to ``NAME:SEVERITY``, see `qmf.preparation.Damage`.
    missing : tuple of str
        Modalities that are absent for all samples.
    in_suite : bool
        True if means over the suite count it: the clean set and damage, but neither patterns nor the RCML protocol.
    """

    name: str
    family: str = ""
    severity: float = 0.0
    corruption: str = ""
    parameters: dict[str, float] = field(default_factory=dict)
    damages: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    in_suite: bool = True


CLEAN = Condition("clean")

VECTOR_SUITE = (
    CLEAN,
    Condition("noise 1σ", "gaussian noise", 1, "feature_gaussian", {"sigma": 1.0}),
    Condition("noise 3σ", "gaussian noise", 3, "feature_gaussian", {"sigma": 3.0}),
    Condition("noise 10σ", "gaussian noise", 10, "feature_gaussian", {"sigma": 10.0}),
    Condition("salt-pepper 15 %", "salt and pepper", 15, "feature_salt_and_pepper", {"rate": 0.15}),
    Condition("salt-pepper 50 %", "salt and pepper", 50, "feature_salt_and_pepper", {"rate": 0.5}),
    Condition("gain ×5", "gain", 5, "feature_gain", {"gain": 5.0}),
    Condition("stuck", "stuck", 1, "feature_stuck", {"rate": 1.0}),
    Condition("zeroed", "zeroed", 1, "zeroed", {}),
    Condition("swapped", "swapped", 1, "swapped", {}),
    Condition("conflicting (RCML)", "conflicting", 2, "conflicting", {"noisy": 0.5, "foreign": 0.5}, in_suite=False),
    Condition("conflicting 10+40 %", "conflicting", 1, "conflicting", {"noisy": 0.1, "foreign": 0.4}, in_suite=False),
)
"""What is done to feature views: each view of each sample is hit with probability 0.5; training sees none of it."""


def missing_patterns(modalities: Sequence[str]) -> tuple[Condition, ...]:
    """Give a condition for each modality that is alone, and, from three modalities on, for each that is missing."""
    alone = tuple(
        Condition(f"only {name}", missing=tuple(n for n in modalities if n != name), in_suite=False)
        for name in modalities
    )
    without = tuple(Condition(f"without {name}", missing=(name,), in_suite=False) for name in modalities)
    return alone if len(modalities) < 3 else alone + without


def damaged_part(test: Part, training: Part, condition: Condition, seed: int) -> Part:
    """Give the test samples of vectors in one situation.

    Parameters
    ----------
    test, training : Part
        As they are; the training samples give centre, spread and range of each feature.
    condition : Condition
        What to do.
    seed : int
        Key of all draws, with sample id, modality and corruption.

    Returns
    -------
    Part
        A copy; ``damaged`` says what was hit.
    """
    if condition.missing:
        return _without(test, condition.missing)
    if not condition.corruption:
        return test
    if condition.corruption == "conflicting":
        return _conflicting(test, training, seed, **condition.parameters)
    damaged = np.zeros_like(test.present)
    features: dict[str, NDArray[np.float32]] = {}
    for m, (name, x) in enumerate(test.features.items()):
        hit = np.array([paper_hit(seed, key, name) for key in test.ids.tolist()]) & test.present[:, m]
        damaged[:, m] = hit
        if condition.corruption == "swapped":
            partner = swap_partner(test.ids, test.target, seed=seed, modality=name, other_class=True)
            features[name] = np.where(hit[:, None], x[partner], x)
            continue
        there = training.features[name][training.present[:, m]]
        options: dict[str, Any] = {"seed": seed, "sample_ids": test.ids, "modality": name, "rows": hit}
        spread: dict[str, Any] = {"scale": there.std(axis=0), "center": there.mean(axis=0)}
        severity = None if condition.parameters else 1
        features[name] = corrupt_vectors(
            x, condition.corruption, severity, **options, **(spread | condition.parameters)
        )
    return replace(test, features=features, damaged=damaged)


def _without(test: Part, missing: Sequence[str]) -> Part:
    names = list(test.features)
    present = test.present & np.array([name not in missing for name in names])
    kept = present.any(axis=1)
    part = replace(test, present=present)
    return part if kept.all() else part.take(np.flatnonzero(kept))


def _conflicting(test: Part, training: Part, seed: int, *, noisy: float, foreign: float) -> Part:
    """Give a share of the samples noise on a proper subset of views, and a share, drawn anew, a view of another class.

    References
    ----------
    Xu et al., Reliable Conflictive Multi-View Learning, AAAI 2024, section 4: noise of 0.5 on features in [0, 1].
    """
    names = list(test.features)
    generators = [keyed_generator(seed, "conflicting", key) for key in test.ids.tolist()]
    nothing = np.zeros(len(names), dtype=bool)
    hit = np.array([_proper_subset(g, len(names)) if g.random() < noisy else nothing for g in generators])
    view = np.array([int(g.integers(len(names))) if g.random() < foreign else -1 for g in generators])
    features: dict[str, NDArray[np.float32]] = {}
    damaged = hit & test.present
    for m, (name, x) in enumerate(test.features.items()):
        there = training.features[name][training.present[:, m]]
        width = there.max(axis=0) - there.min(axis=0)
        drawn = [keyed_generator(seed, "conflicting noise", key, name) for key in test.ids.tolist()]
        fields = np.stack([generator.standard_normal(x.shape[1]) for generator in drawn])
        changed = np.where(damaged[:, m, None], x + _CONFLICT_NOISE * width * fields, x)
        partner = swap_partner(test.ids, test.target, seed=seed, modality=name, other_class=True)
        swapped = (view == m) & test.present[:, m] & test.present[partner, m]
        features[name] = np.where(swapped[:, None], x[partner], changed).astype(np.float32)
        damaged[:, m] |= swapped
    return replace(test, features=features, damaged=damaged)


def _proper_subset(generator: np.random.Generator, size: int) -> NDArray[np.bool_]:
    """Give a subset of views, of 0 to size - 1 of them, each size as likely."""
    chosen = int(generator.integers(size))
    return np.isin(np.arange(size), generator.permutation(size)[:chosen])
