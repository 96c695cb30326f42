"""Conformal prediction: sets of classes that hold the true one with a probability chosen beforehand.

A score says how little a class suits a sample. Held-out samples, whose classes are known, say which scores are usual
for the true class; a new sample's set holds the classes whose scores are no more unusual than that. Validity per group
(Mondrian) is the same with each group's own held-out scores.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qmf.errors import ConfigError

__all__ = ["aps_scores", "conformal_quantile", "lac_scores", "prediction_sets"]

FloatArray = NDArray[np.floating]


def lac_scores(probabilities: FloatArray) -> NDArray[np.float64]:
    """Give the LAC score of each class, ``1 - p_k``: the smallest sets on average, some of them empty.

    Parameters
    ----------
    probabilities : ndarray [N, K]
        Class probabilities.

    Returns
    -------
    ndarray [N, K], float64
        In [0, 1], lower = suits better. Added up from the other classes, so that near 0 no digit is lost.

    References
    ----------
    Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers with Bounded Error Levels, JASA 2019.

    Examples
    --------
    >>> lac_scores(np.array([[0.75, 0.25]]))
    array([[0.25, 0.75]])
    """
    p = np.asarray(probabilities, dtype=np.float64)
    others = np.zeros_like(p)
    others[:, 1:] = np.cumsum(p[:, :-1], axis=1)
    others[:, :-1] += np.cumsum(p[:, :0:-1], axis=1)[:, ::-1]
    return others


def aps_scores(probabilities: FloatArray, u: FloatArray) -> NDArray[np.float64]:
    """Give the randomised APS score of each class: ``u p_k`` and the probability of all classes above it.

    Parameters
    ----------
    probabilities : ndarray [N, K]
        Class probabilities. Of classes with equal probability, the first counts as above the others.
    u : ndarray [N]
        A number in [0, 1) for each sample, uniform and drawn apart from everything else. Drawn by the sample's id, it
        gives the same set in whatever order and company the sample comes.

    Returns
    -------
    ndarray [N, K], float64
        In [0, 1], lower = suits better. For the true classes of a classifier whose probabilities are right it is
        uniform.

    References
    ----------
    Romano, Sesia and Candès, Classification with Valid and Adaptive Coverage, NeurIPS 2020, section 2; with ``1 - u``
    for their u.

    Examples
    --------
    >>> aps_scores(np.array([[0.25, 0.75]]), np.array([0.5]))
    array([[0.875, 0.375]])
    """
    p = np.asarray(probabilities, dtype=np.float64)
    order = np.argsort(-p, axis=1, kind="stable")
    falling = np.take_along_axis(p, order, axis=1)
    above = np.zeros_like(p)
    above[:, 1:] = np.cumsum(falling[:, :-1], axis=1)
    scores = np.empty_like(p)
    np.put_along_axis(scores, order, above + np.asarray(u, dtype=np.float64)[:, None] * falling, axis=1)
    return scores


def conformal_quantile(scores: FloatArray, alpha: float) -> float:
    """Give the score that a new sample's true class exceeds with probability at most `alpha`.

    Parameters
    ----------
    scores : ndarray [n]
        Scores of the true classes of n held-out samples.
    alpha : float in (0, 1)
        Share of sets that may miss the true class.

    Returns
    -------
    float
        The ``ceil((n + 1)(1 - alpha))``-th smallest; infinite where that is more than n: so few samples promise nothing
        less than all classes.

    Raises
    ------
    ConfigError
        If `alpha` is out of range.

    References
    ----------
    Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, section 4.1 (inductive predictors).

    Examples
    --------
    >>> conformal_quantile(np.arange(9) / 10, 0.2)  # ceil(10 x 0.8) = 8
    0.7
    >>> conformal_quantile(np.arange(9) / 10, 0.05)
    inf
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha={alpha!r}: expected a number between 0 and 1, the share of sets that may be wrong.")
    rank = math.ceil((len(scores) + 1) * (1 - alpha) - 1e-9)  # 20 x 0.95 must not become 19.000000000000004
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def prediction_sets(scores: FloatArray, group: NDArray[np.integer], quantiles: FloatArray) -> NDArray[np.bool_]:
    """Give each sample's set: the classes whose score is at most the quantile of the sample's group.

    Parameters
    ----------
    scores : ndarray [N, K]
        Of all classes.
    group : ndarray [N], int
        Position of each sample's group in `quantiles`; -1 where it belongs to none, and its set is all classes.
    quantiles : ndarray [G]
        From `conformal_quantile`, one per group: coverage then holds within each (Mondrian).

    Returns
    -------
    ndarray [N, K], bool
        True where the class is in the set. A set may be empty.

    References
    ----------
    Vovk, Gammerman and Shafer, 2005, section 4.5 (Mondrian conformal predictors).

    Examples
    --------
    >>> prediction_sets(np.array([[0.2, 0.8], [0.2, 0.8]]), np.array([0, -1]), np.array([0.5]))
    array([[ True, False],
           [ True,  True]])
    """
    limits = np.append(np.asarray(quantiles, dtype=np.float64), np.inf)  # -1 is the last one
    sets: NDArray[np.bool_] = scores <= limits[group][:, None]
    return sets
