"""Whether what was exported is the classifier it came from: on real samples, in every pattern of modalities.

In two steps where there is a network: are its features those of the classifier, and does what follows do with them
what the classifier does? Through both at once the rounding of a network would be seen enlarged: features are divided by
their spread, and evidence counts ranks among the training values, so that it jumps where a feature lies within rounding
of one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from qmf.calibration import patterns_to_calibrate
from qmf.data import RawSamples, Samples
from qmf.errors import RunError
from qmf.estimator import QMFClassifier
from qmf.export.judged import judged_vectors, takes_vectors
from qmf.export.signature import Signature

__all__ = ["TOLERANCE", "Checked", "check_outputs", "few"]

TOLERANCE = 1e-4
"""Largest difference of any output, relative to its size where that is above 1."""

_SAMPLES = 64  # of each pattern: the classifier takes as many in one pass, whatever networks it has

Outputs = Mapping[str, NDArray[np.floating]]


class Checked:
    """What was compared.

    Attributes
    ----------
    samples, patterns : int
        How many samples, each in how many patterns of modalities (as far as it has them).
    difference : float
        The largest, relative to the size of the number where that is above 1.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.patterns = 0
        self.difference = 0.0


def few(samples: Samples | RawSamples) -> Samples | RawSamples:
    """Give the samples to compare with: all of a few, some of many, from one end to the other."""
    return samples.take(np.linspace(0, len(samples) - 1, min(len(samples), _SAMPLES)).round().astype(np.intp))


def check_outputs(
    run: Callable[[list[NDArray[np.floating]], NDArray[np.bool_]], Outputs],
    signature: Signature,
    classifier: QMFClassifier,
    samples: Samples,
    rows: Samples,
) -> Checked:
    """Compare an exported graph with the classifier.

    Parameters
    ----------
    run : callable
        The graph, with what stands before it: from M arrays of rows [n, D_m] and `present` [n, M] to its outputs by
        name.
    signature : Signature
        What goes in and comes out.
    classifier : QMFClassifier
        What it was exported from; it computes in float64.
    samples : Samples
        Real ones, with the modalities of training, as the classifier takes them.
    rows : Samples
        The same, as `run` takes them.

    Returns
    -------
    Checked
        What was compared.

    Raises
    ------
    RunError
        If an output differs by more than `TOLERANCE`: its name, by how much, and for which modalities.
    """
    checked = Checked()
    checked.samples = len(samples)
    for kept in patterns_to_calibrate(samples.present):
        chosen = np.flatnonzero((samples.present & kept).any(axis=1))
        if not len(chosen):
            continue
        names = [name for name, there in zip(samples.modalities, kept, strict=True) if there]
        part = samples.take(chosen).without(*(name for name in samples.modalities if name not in names))
        given = run([x[chosen] for x in rows.features.values()], part.present)
        for name, value, computed in _compared(given, signature, classifier, part):
            difference = _difference(computed, value)
            if not difference <= TOLERANCE:
                raise RunError(
                    f"the exported graph is not the classifier: output {name!r} differs by {difference:.2g} (at most"
                    f" {TOLERANCE:g} allowed) where the modalities are {', '.join(names)}. Nothing was written."
                )
            checked.difference = max(checked.difference, difference)
        checked.patterns += 1
    return checked


def _compared(
    given: Outputs, signature: Signature, classifier: QMFClassifier, part: Samples
) -> Iterator[tuple[str, NDArray[np.floating], NDArray[np.floating]]]:
    """Give each output's name, what the classifier says and what the graph says."""
    model, present = classifier._predictor.cpu(), part.present
    there = {m: present[:, m] for m in range(present.shape[1]) if present[:, m].any()}
    computed = {m: name for m, name in signature.computed.items() if m in there}
    own = {m: part.features[part.modalities[m]] for m in computed if takes_vectors(model, m)}
    part = replace(part, features=part.features | {part.modalities[m]: given[computed[m]] for m in own})
    instead = {m: torch.from_numpy(given[name]).double() for m, name in computed.items()}
    with judged_vectors(model, instead) as seen:
        wanted = classifier._outputs(part)
        probabilities = classifier.predict_proba(part)
    for m, name in computed.items():
        yield name, (own[m] if m in own else seen[m].numpy())[there[m]], given[name][there[m]]
    for name, value in {**wanted._asdict(), "probabilities": probabilities}.items():
        if name != "present":
            yield name, value, given[name]


def _difference(given: NDArray[np.floating], wanted: NDArray[np.floating]) -> float:
    """Give the largest difference, relative where above 1; infinite where one is NaN or infinite and the other not."""
    same = (given == wanted) | (np.isnan(given) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        relative = np.abs(given - wanted) / np.maximum(1.0, np.abs(wanted))
    relative[np.isnan(relative)] = np.inf
    return float(relative[~same].max(initial=0.0))
