"""The random variables that the theory is about: weights on the simplex, bounded losses, and how they vary together.

The classifier they belong to is ``f(x) = sum_m w^m(x) log q^m(x)`` with ``q^m = (1 - epsilon) p^m + epsilon / K``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qmf.floor import FLOOR

__all__ = ["bounded_loss", "covariance", "fused", "fused_loss", "on_simplex"]

Array = NDArray[np.floating]


def bounded_loss(true_class_probability: Array, num_classes: int) -> NDArray[np.float64]:
    """Give the cross-entropy of classifiers that never rule a class out, in units of its largest value.

    ``l = -log((1 - epsilon) p_y + epsilon / K) / log(K / epsilon)``: between 0 and 1, as the concentration inequality
    behind Theorem 1 asks, and convex in ``log q``, as its first step asks: a weighted sum of log-probabilities with
    weights on the simplex never loses more than the weighted sum of their losses.

    Parameters
    ----------
    true_class_probability : ndarray
        ``p_y``, in [0, 1]; NaN where a modality is absent.
    num_classes : int
        K, at least 2.

    Returns
    -------
    ndarray, same shape
        ``l``; NaN where `true_class_probability` is.

    References
    ----------
    QMF (Zhang et al., ICML 2023), Theorem 1: a convex loss.
    """
    p = np.asarray(true_class_probability, dtype=np.float64)
    loss: NDArray[np.float64] = -np.log((1 - FLOOR) * p + FLOOR / num_classes) / math.log(num_classes / FLOOR)
    return loss


def fused(probabilities: Array, weights: Array) -> NDArray[np.float64]:
    """Give the fused classifier ``f = sum_m w^m log q^m``.

    Parameters
    ----------
    probabilities : ndarray [N, M, K]
        ``p^m``; whatever stands where a weight is 0 is ignored.
    weights : ndarray [N, M]
        On the simplex.

    Returns
    -------
    ndarray [N, K]
        Between ``log(epsilon / K)`` and 0; its softmax is what f says of the classes.
    """
    counted = np.where(weights[..., None] > 0, probabilities, 1.0)
    q = (1 - FLOOR) * counted + FLOOR / probabilities.shape[2]
    f: NDArray[np.float64] = (weights[..., None] * np.log(q)).sum(axis=1)
    return f


def fused_loss(f: Array, target: NDArray[np.integer]) -> NDArray[np.float64]:
    """Give the cross-entropy of the fused classifier in the unit of `bounded_loss`.

    ``l(f) = (log sum_k exp f_k - f_y) / log(K / epsilon)``. Since ``sum_k prod_m (q^m_k)^(w^m) <= 1`` (Hölder), it is
    between 0 and ``sum_m w^m l^m``.

    Parameters
    ----------
    f : ndarray [N, K]
        From `fused`.
    target : ndarray [N], int
        True classes.

    Returns
    -------
    ndarray [N]
        In [0, 1].
    """
    loss: NDArray[np.float64] = np.log(np.exp(f).sum(axis=1)) - f[np.arange(len(target)), target]
    return np.maximum(loss, 0.0) / math.log(f.shape[1] / FLOOR)


def on_simplex(weights: Array, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give weights in [0, 1] that sum to 1 over what is present; negative ones become 0, a row of zeros equal.

    Parameters
    ----------
    weights : ndarray [N, M]
        Of any sign and sum.
    present : ndarray [N, M], bool
        True where a modality is there; at least one in each row.

    Returns
    -------
    ndarray [N, M]
        0 where absent.
    """
    w = np.where(present, np.clip(np.nan_to_num(np.asarray(weights, dtype=np.float64)), 0.0, None), 0.0)
    total = w.sum(axis=1, keepdims=True)
    equal = present / np.maximum(present.sum(axis=1, keepdims=True), 1)
    result: NDArray[np.float64] = np.where(total > 0, w / np.where(total > 0, total, 1.0), equal)
    return result


def covariance(weight: Array, loss: Array) -> float:
    """Give ``Cov(w, l) = mean(w l) - mean(w) mean(l)`` of two vectors [N]; NaN of fewer than two samples."""
    if len(weight) < 2:
        return float("nan")
    w, cost = np.asarray(weight, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    return float(((w - w.mean()) * (cost - cost.mean())).mean())
