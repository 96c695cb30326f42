"""From the outputs of a fused classifier on held-out samples to its certificate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from qmf.errors import ConfigError, DataError
from qmf.floor import FLOOR
from qmf.metrics import weight_loss_correlation
from qmf.theory.bootstrap import RESAMPLES, CovarianceTest, covariance_tests
from qmf.theory.bound import Bound, bound_terms
from qmf.theory.certificate import Certificate, Fusion, ModalityTerms
from qmf.theory.complexity import DRAWS, Complexity, LinearHead, contraction_factor, head_complexity
from qmf.theory.quantities import bounded_loss, fused, fused_loss, on_simplex
from qmf.theory.verdict import judge

__all__ = ["certify"]

Array = NDArray[np.floating]


@dataclass(frozen=True)
class _Sample:
    """N samples: probabilities [N, M, K], weights on the simplex [N, M], losses [N, M], target [N], present [N, M]."""

    p: NDArray[np.float64]
    w: NDArray[np.float64]
    losses: NDArray[np.float64]
    y: NDArray[np.integer]
    present: NDArray[np.bool_]
    names: tuple[str, ...]
    delta: float


def certify(
    probabilities: Array,
    weights: Array,
    target: NDArray[np.integer],
    present: NDArray[np.bool_] | None = None,
    *,
    modalities: Sequence[str] | None = None,
    heads: Sequence[LinearHead | None] | None = None,
    answers: NDArray[np.integer] | None = None,
    delta: float = 0.05,
    resamples: int = RESAMPLES,
    draws: int = DRAWS,
    random_state: int = 0,
) -> Certificate:
    """Give the terms of Theorem 1 and the verdict of Theorem 2 for ``f = sum_m w^m log q^m`` on held-out samples.

    Parameters
    ----------
    probabilities : ndarray [N, M, K]
        Class probabilities of each modality alone; ignored where absent.
    weights : ndarray [N, M]
        Of any sign and sum; brought to the simplex, see `on_simplex`.
    target : ndarray [N], int
        True classes, 0 to K-1.
    present : ndarray [N, M], bool, optional
        True where a modality is there, at least one in each row; by default everywhere.
    modalities : sequence of M str, optional
        Names; by default "0", "1", ...
    heads : sequence of M LinearHead or None, optional
        What complexities are computed from, with features of all N samples; None where a head is not linear.
    answers : ndarray [N], int, optional
        What the model answers, if it does not answer with f.
    delta : float in (0, 0.5)
        Chance that a bound or a one-sided interval fails.
    resamples, draws : int
        Of the bootstrap, and of the signs behind each complexity.
    random_state : int
        Key of both.

    Returns
    -------
    Certificate
        All terms and the verdict.

    Raises
    ------
    ConfigError
        If `delta` is out of range.
    DataError
        If shapes do not fit, there are fewer than two samples or two classes, or a value is out of range.

    Notes
    -----
    O(N M (resamples + draws K D)).

    References
    ----------
    QMF (Zhang et al., ICML 2023), Theorems 1 and 2.

    Examples
    --------
    >>> p = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.3, 0.7], [0.9, 0.1]]] * 20)
    >>> w = np.array([[0.9, 0.1], [0.2, 0.8]] * 20)
    >>> certify(p, w, np.zeros(40, dtype=int)).verdict.status
    'certified'
    """
    sample = _sample(probabilities, weights, target, present, modalities, delta)
    tests, total = covariance_tests(
        sample.w, sample.losses, sample.present, delta=delta, resamples=resamples, random_state=random_state
    )
    given: list[LinearHead | None] = [None] * len(sample.names) if heads is None else list(heads)
    alone = _complexities(sample, given, False, draws, random_state)
    weighted = _complexities(sample, given, True, draws, random_state)
    there = {
        name: test for m, (name, test) in enumerate(zip(sample.names, tests, strict=True)) if sample.present[:, m].any()
    }
    dynamic, matched, equal = _fusions(sample, alone, weighted)
    label, chosen = fused(sample.p, sample.w).argmax(axis=1), None if answers is None else np.asarray(answers)
    mean, even = sample.w.mean(axis=0), _equal_weights(sample).mean(axis=0)
    num_classes = sample.p.shape[2]
    return Certificate(
        verdict=judge(there, total, delta=delta),
        modalities=_modality_terms(sample, tests, alone),
        total=total,
        dynamic=dynamic,
        matched_static=matched,
        equal_static=equal,
        away_from_equal=float(np.abs(mean - even).sum() / 2),
        samples=len(sample.y),
        num_classes=num_classes,
        delta=delta,
        contraction=contraction_factor(num_classes),
        loss_of_a_guess=math.log(num_classes) / math.log(num_classes / FLOOR),
        answer_accuracy=math.nan if chosen is None else float((chosen == sample.y).mean()),
        answer_agreement=math.nan if chosen is None else float((chosen == label).mean()),
    )


def _fusions(
    sample: _Sample, alone: list[Complexity | None], weighted: list[Complexity | None]
) -> tuple[Fusion, Fusion, Fusion]:
    """Give the fusion with the sample's weights, with their means, and with equal weights."""
    factor = contraction_factor(sample.p.shape[2])
    own, of_weighted = (
        [math.nan if c is None else factor * c.monte_carlo for c in given] for given in (alone, weighted)
    )
    equal = _equal_weights(sample)
    terms = partial(bound_terms, losses=sample.losses, present=sample.present, complexity=own, delta=sample.delta)
    dynamic, even = terms(sample.w, complexity_of_weighted=of_weighted), terms(equal)
    means = on_simplex(np.broadcast_to(sample.w.mean(axis=0), sample.w.shape), sample.present)
    return (
        _fusion(sample, sample.w, dynamic),
        _fusion(sample, means, dynamic.static()),
        _fusion(sample, equal, even.static() if sample.present.all() else even),
    )


def _fusion(sample: _Sample, weights: Array, terms: Bound) -> Fusion:
    f = fused(sample.p, weights)
    accuracy = float((f.argmax(axis=1) == sample.y).mean())
    return Fusion(terms, float(fused_loss(f, sample.y).mean()), accuracy)


def _equal_weights(sample: _Sample) -> NDArray[np.float64]:
    return on_simplex(np.ones_like(sample.w), sample.present)


def _complexities(
    sample: _Sample, heads: list[LinearHead | None], weighted: bool, draws: int, random_state: int
) -> list[Complexity | None]:
    """Give the complexity of each head over the samples that have its modality, or of its weighted losses over all."""
    found: list[Complexity | None] = []
    for m, (name, head) in enumerate(zip(sample.names, heads, strict=True)):
        if head is None:
            found.append(None)
            continue
        if not weighted:
            head = head._replace(features=head.features[sample.present[:, m]])
        w = sample.w[:, m] if weighted else None
        found.append(
            head_complexity(head, sample.p.shape[2], weights=w, draws=draws, random_state=random_state, key=name)
        )
    return found


def _modality_terms(
    sample: _Sample, tests: tuple[CovarianceTest, ...], complexities: list[Complexity | None]
) -> tuple[ModalityTerms, ...]:
    terms = []
    for m, name in enumerate(sample.names):
        there = sample.present[:, m]
        w, cost = sample.w[there, m], sample.losses[there, m]
        terms.append(
            ModalityTerms(
                name=name,
                present=int(there.sum()),
                mean_weight=float(sample.w[:, m].mean()),
                mean_loss=float(cost.mean()) if len(cost) else math.nan,
                test=tests[m],
                correlation=weight_loss_correlation(w, cost),
                complexity=complexities[m],
            )
        )
    return tuple(terms)


def _sample(
    probabilities: Array,
    weights: Array,
    target: NDArray[np.integer],
    present: NDArray[np.bool_] | None,
    modalities: Sequence[str] | None,
    delta: float,
) -> _Sample:
    """Check what is given, and bring it to the form the theory speaks of."""
    p, w, y = np.asarray(probabilities, dtype=np.float64), np.asarray(weights), np.asarray(target)
    if not 0 < delta < 0.5:
        raise ConfigError(f"delta={delta}: expected a number above 0 and below 0.5.")
    if p.ndim != 3 or len(p) < 2 or p.shape[2] < 2:
        raise DataError(f"probabilities {p.shape}: expected [N, M, K] of at least two samples and two classes.")
    there = np.ones(p.shape[:2], dtype=bool) if present is None else np.asarray(present, dtype=bool)
    names = tuple(map(str, range(p.shape[1]))) if modalities is None else tuple(modalities)
    if w.shape != p.shape[:2] or there.shape != p.shape[:2] or y.shape != (len(p),) or len(names) != p.shape[1]:
        raise DataError(
            f"weights {w.shape}, present {there.shape}, target {y.shape}, {len(names)} modalities: expected [N, M],"
            f" [N, M], [N] and M for probabilities {p.shape}."
        )
    if not there.any(axis=1).all():
        raise DataError(f"sample {int(np.argmin(there.any(axis=1)))} has no modality present: leave such samples out.")
    if y.min() < 0 or y.max() >= p.shape[2]:
        raise DataError(f"target: expected classes 0 to {p.shape[2] - 1}, got {y.min()} to {y.max()}.")
    if not ((p[there] >= 0) & (p[there] <= 1)).all():
        raise DataError("probabilities: expected numbers from 0 to 1 wherever a modality is present.")
    losses = bounded_loss(p[np.arange(len(y)), :, y], p.shape[2])
    return _Sample(p, on_simplex(w, there), losses, y, there, names, delta)
