"""Means over the conditions of a comparison; what is not defined (NaN) is left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from qmf.report.contents import Comparison, Condition

__all__ = ["chance_margin", "differences", "mean", "mean_accuracy", "split_by_damage"]


def mean(values: Iterable[float]) -> float:
    """Give the mean of what is finite; NaN if nothing is.

    Examples
    --------
    >>> mean([1.0, float("nan"), 3.0])
    2.0
    """
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan


def split_by_damage(comparison: Comparison) -> tuple[list[Condition], list[Condition]]:
    """Give the clean conditions and the damaged ones."""
    clean = [condition for condition in comparison.conditions if not condition.damaged]
    return clean, [condition for condition in comparison.conditions if condition.damaged]


def mean_accuracy(conditions: Iterable[Condition], method: str) -> float:
    """Give a method's fused accuracy, averaged over conditions."""
    return mean(condition.accuracy[method] for condition in conditions)


def differences(comparison: Comparison) -> list[tuple[float, Condition]]:
    """Give accuracy of the first method minus that of the second, smallest first, with the condition.

    Returns
    -------
    list of (float, Condition)
        In [-1, 1]; conditions where it is not defined are left out.
    """
    dynamic, static = comparison.methods[:2]
    pairs = [(c.accuracy[dynamic] - c.accuracy[static], c) for c in comparison.conditions]
    return sorted((pair for pair in pairs if math.isfinite(pair[0])), key=lambda pair: pair[0])


def chance_margin(accuracies: Sequence[float], num_test: int) -> float:
    """Give the difference in accuracy that two equally good methods stay below in 95 of 100 test sets of that size.

    ``1.96 sqrt(sum_i p_i (1 - p_i) / N)``: the two tests are taken as independent. They share their samples, so
    what is below it may be real; what is above it is not chance.

    Parameters
    ----------
    accuracies : sequence of float
        Of the two methods, in [0, 1].
    num_test : int
        N, the number of test samples.

    Returns
    -------
    float
        At least 0; NaN without samples.

    Examples
    --------
    >>> round(chance_margin([0.9, 0.9], 400), 4)
    0.0416
    """
    if num_test < 1:
        return math.nan
    return 1.96 * math.sqrt(math.fsum(p * (1 - p) for p in accuracies) / num_test)
