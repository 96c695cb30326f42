"""Whether the covariance of weight and loss is at or below 0: intervals and one-sided tests by resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from qmf.randomness import keyed_generator

__all__ = ["RESAMPLES", "CovarianceTest", "covariance_tests", "filled_losses"]

RESAMPLES = 2000
_CELLS = 4_000_000  # numbers in memory at a time
_CONSTANT = 1e-6  # weights that vary by less are rounding: they do not vary

Array = NDArray[np.floating]


@dataclass(frozen=True)
class CovarianceTest:
    """A covariance, and what can be said of its sign.

    Attributes
    ----------
    covariance : float
        Of the samples.
    lower, upper : float
        Ends of two one-sided intervals, each missed with probability `delta`; together one of ``1 - 2 delta``.
    p : float
        Of the one-sided test of "0 or more" against "below 0": at most `delta` where `upper` is below 0.
    effective : float
        How many samples carry the covariance, 1 to N: few where few have a loss to speak of.
    """

    covariance: float
    lower: float
    upper: float
    p: float
    effective: float


def filled_losses(losses: Array, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give losses [N, M] in which what is absent has the mean loss of what is present; 0 where all is absent.

    An absent modality has weight 0, so its loss never counts in ``mean(w l)``; with the mean in its place
    ``mean(w l) = mean(w) mean(l) + Cov(w, l)`` holds exactly over all N, and ``Cov(w, l)`` is that of the samples
    that have the modality times their share.
    """
    there = np.where(present, losses, 0.0)
    mean = there.sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    filled: NDArray[np.float64] = np.where(present, there, mean)
    return filled


def covariance_tests(
    weights: Array,
    losses: Array,
    present: NDArray[np.bool_],
    *,
    delta: float = 0.05,
    resamples: int = RESAMPLES,
    random_state: int = 0,
) -> tuple[tuple[CovarianceTest, ...], CovarianceTest]:
    """Test ``Cov(w^m, l^m) <= 0`` for each modality, and for the sum over modalities.

    Parameters
    ----------
    weights : ndarray [N, M]
        On the simplex, 0 where absent.
    losses : ndarray [N, M]
        Bounded; ignored where absent.
    present : ndarray [N, M], bool
        True where a modality is there.
    delta : float
        Chance to miss of each one-sided interval.
    resamples : int
        How often N samples are drawn from the N, with replacement.
    random_state : int
        Key of the draws.

    Returns
    -------
    tests : tuple of M CovarianceTest
        One per modality.
    total : CovarianceTest
        Of ``sum_m Cov(w^m, l^m)``.

    Notes
    -----
    O(resamples N M). All modalities of a sample are drawn together. Where a modality's weight does not vary, its
    covariance is exactly 0. Percentile intervals are too narrow where few samples carry the covariance; so their level
    is the normal probability of ``sqrt(n / (n - 1))`` times Student's quantile with ``n - 1`` degrees of freedom, with
    n the effective number ``(sum psi^2)^2 / sum psi^4`` of terms ``psi_i = (w_i - mean w)(l_i - mean l) - Cov``.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 2015: expanded percentiles,
    there with n = N.
    """
    w, n = np.asarray(weights, dtype=np.float64), len(weights)
    cost = np.where(present, losses, 0.0)
    highest, lowest = np.where(present, w, -np.inf).max(axis=0), np.where(present, w, np.inf).min(axis=0)
    constant = highest - lowest <= _CONSTANT
    rng = keyed_generator(random_state, "covariance bootstrap")
    rows = max(1, _CELLS // max(1, n))
    parts = []
    for start in range(0, resamples, rows):
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=min(rows, resamples - start)) / n
        parts.append(_covariances(drawn, w, cost, present))
    replicates = np.where(constant, 0.0, np.concatenate(parts))
    psi = np.where(constant, 0.0, _terms(w, cost, present))
    tests = tuple(_test(psi[:, m], replicates[:, m], delta) for m in range(w.shape[1]))
    return tests, _test(psi.sum(axis=1), replicates.sum(axis=1), delta)


def _covariances(share: Array, w: Array, cost: Array, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give Cov(w^m, l^m) [R, M] of samples that count `share` [R, N] each; absent ones as in `filled_losses`."""
    there = share @ present.astype(np.float64)
    mean = (share @ cost) / np.where(there > 0, there, 1.0)
    result: NDArray[np.float64] = share @ (w * cost) - (share @ w) * mean
    return result


def _terms(w: Array, cost: Array, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give [N, M] whose means are the covariances: how far each sample carries them."""
    there = np.maximum(present.sum(axis=0), 1)
    centred: NDArray[np.float64] = present * (w - w.sum(axis=0) / there) * (cost - cost.sum(axis=0) / there)
    return centred


def _test(terms: Array, replicates: Array, delta: float) -> CovarianceTest:
    observed = float(terms.mean())
    psi = np.square(terms - observed)
    fourth = float(np.square(psi).sum())
    effective = float(psi.sum()) ** 2 / fourth if fourth > 0 else float(len(terms))
    n = max(effective, 1 + 1e-6)
    widened = math.sqrt(n / (n - 1))
    level = float(ndtr(widened * stdtrit(n - 1, delta)))
    lower, upper = np.quantile(replicates, [level, 1 - level])
    share = (1 + int((replicates >= 0).sum())) / (1 + len(replicates))
    p = float(stdtr(n - 1, float(ndtri(share)) / widened))
    return CovarianceTest(observed, float(lower), float(upper), p, effective)
