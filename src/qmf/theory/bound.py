"""The terms of Theorem 1 on a sample, and what they add up to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qmf.theory.bootstrap import filled_losses
from qmf.theory.quantities import covariance

__all__ = ["Bound", "bound_terms"]

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Bound:
    """Terms of Theorem 1 and three bounds on the expected loss made of them, all in the unit of `bounded_loss`.

    Attributes
    ----------
    weighted_loss : float
        Term-L, ``sum_m E(w^m) mean(l^m)``.
    complexity : float
        Term-C, ``sum_m E(w^m) C^m``; NaN where a head is not linear.
    covariance : float
        Term-Cov, ``sum_m Cov(w^m, l^m)``.
    complexity_of_weighted : float
        ``sum_m C^m(w)``, of the losses times their weights; NaN where a head is not linear.
    modalities, samples : int
        M and N.
    delta : float
        Chance that a bound fails.
    """

    weighted_loss: float
    complexity: float
    covariance: float
    complexity_of_weighted: float
    modalities: int
    samples: int
    delta: float

    @property
    def confidence(self) -> float:
        """``M sqrt(ln(1/delta) / 2N)``, with M the number of modalities, as printed in the paper."""
        return self.modalities * self._deviation(1.0)

    @property
    def theorem_1(self) -> float:
        """Theorem 1 as printed, with the sample's own means and covariance in place of expectations."""
        return self.weighted_loss + self.complexity + self.covariance + self.confidence

    @property
    def held_out(self) -> float:
        """Hoeffding's bound, ``mean(sum_m w^m l^m) + sqrt(ln(1/delta) / 2N)``: for a model that never saw the sample.

        The first part is Term-L + Term-Cov exactly; a model fixed beforehand has nothing to pay for complexity.
        """
        return self.weighted_loss + self.covariance + self._deviation(1.0)

    @property
    def same_sample(self) -> float:
        """Bound that holds for all heads in the balls at once, so also for heads fitted on this very sample.

        ``mean(sum_m w^m l^m) + sum_m C^m(w) + 3 sqrt(ln(2/delta) / 2N)``; encoders, weights and radii must not have
        seen it.
        """
        gap = self.complexity_of_weighted + 3 * self._deviation(2.0)
        return self.weighted_loss + self.covariance + gap

    def static(self) -> Bound:
        """Give the bound of constant weights with the same means: the comparison of Theorem 2."""
        return replace(self, covariance=0.0, complexity_of_weighted=self.complexity)

    def _deviation(self, events: float) -> float:
        return math.sqrt(math.log(events / self.delta) / (2 * self.samples))


def bound_terms(
    weights: Array,
    losses: Array,
    present: NDArray[np.bool_],
    *,
    complexity: Sequence[float] | None = None,
    complexity_of_weighted: Sequence[float] | None = None,
    delta: float = 0.05,
) -> Bound:
    """Give the terms of Theorem 1 on N samples.

    Parameters
    ----------
    weights : ndarray [N, M]
        On the simplex, 0 where absent.
    losses : ndarray [N, M]
        In [0, 1]; ignored where absent.
    present : ndarray [N, M], bool
        True where a modality is there.
    complexity : sequence of M float, optional
        ``C^m``, the complexity of the head times `contraction_factor`; NaN where it is not known.
    complexity_of_weighted : sequence of M float, optional
        ``C^m(w)``, the same of the head's losses times the weights, over all N samples.
    delta : float in (0, 1)
        Chance that a bound fails.

    Returns
    -------
    Bound
        Its `weighted_loss` and `covariance` add up to ``mean(sum_m w^m l^m)``, up to rounding.

    References
    ----------
    QMF (Zhang et al., ICML 2023), Theorem 1.

    Examples
    --------
    Two samples, each trusting the modality that errs less:

    >>> w, l = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.2, 0.8], [0.6, 0.4]])
    >>> terms = bound_terms(w, l, np.ones((2, 2), dtype=bool))
    >>> round(terms.weighted_loss, 3), round(terms.covariance, 3)  # .5 * .4 + .5 * .6; -.1 - .1
    (0.5, -0.2)
    """
    w, cost = np.asarray(weights, dtype=np.float64), filled_losses(losses, present)
    mean = w.mean(axis=0)
    unknown = [math.nan] * w.shape[1]
    return Bound(
        weighted_loss=float(mean @ cost.mean(axis=0)),
        complexity=_weighted(mean, unknown if complexity is None else complexity),
        covariance=sum(covariance(w[:, m], cost[:, m]) for m in range(w.shape[1])),
        complexity_of_weighted=_weighted(
            (mean > 0).astype(np.float64), unknown if complexity_of_weighted is None else complexity_of_weighted
        ),
        modalities=w.shape[1],
        samples=len(w),
        delta=delta,
    )


def _weighted(mean: Array, values: Sequence[float]) -> float:
    """Give ``sum_m mean^m values^m``; what is never trusted needs no value."""
    return float(sum(w * value for w, value in zip(mean.tolist(), values, strict=True) if w > 0))
