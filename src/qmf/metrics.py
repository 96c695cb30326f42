"""Metrics of a classifier and of its weights, on NumPy arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "accuracy",
    "area_under_risk_coverage",
    "brier_score",
    "expected_calibration_error",
    "negative_log_likelihood",
    "sample_loss",
    "weight_loss_correlation",
]

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]


def accuracy(probabilities: FloatArray, target: IntArray) -> float:
    """Give the share of samples whose most probable class is the true one.

    Parameters
    ----------
    probabilities : ndarray [N, K]
        Class probabilities.
    target : ndarray [N], int
        True classes as positions 0..K-1.

    Returns
    -------
    float
        In [0, 1]; NaN without samples.

    Examples
    --------
    >>> accuracy(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
    0.5
    """
    return float(np.mean(probabilities.argmax(axis=1) == target)) if len(target) else float("nan")


def sample_loss(probabilities: FloatArray, target: IntArray) -> NDArray[np.float64]:
    """Give each sample's loss, ``-ln p_y``.

    Parameters
    ----------
    probabilities : ndarray [N, K]
        Class probabilities; below 1e-38 they count as 1e-38, the smallest float32 in normal form.
    target : ndarray [N], int
        True classes.

    Returns
    -------
    ndarray [N]
        In nats, at least 0.
    """
    p = probabilities[np.arange(len(target)), target].astype(np.float64)
    return -np.log(np.clip(p, 1e-38, 1.0))


def negative_log_likelihood(probabilities: FloatArray, target: IntArray) -> float:
    """Give the mean of `sample_loss`; same parameters.

    Returns
    -------
    float
        In nats; NaN without samples.
    """
    return float(sample_loss(probabilities, target).mean()) if len(target) else float("nan")


def brier_score(probabilities: FloatArray, target: IntArray) -> float:
    """Give the Brier score, the mean of ``sum_k (p_k - [k = y])^2``; parameters as `accuracy`.

    Returns
    -------
    float
        In [0, 2]; NaN without samples.

    References
    ----------
    Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review, 1950.

    Examples
    --------
    >>> brier_score(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0, 1]))
    0.25
    """
    if not len(target):
        return float("nan")
    p = probabilities.astype(np.float64)
    return float(((p**2).sum(axis=1) - 2 * p[np.arange(len(target)), target] + 1).mean())


def area_under_risk_coverage(probabilities: FloatArray, target: IntArray) -> float:
    """Give the area under the risk-coverage curve: the mean error among the n most confident, over n = 1..N.

    Parameters
    ----------
    probabilities : ndarray [N, K]
        Class probabilities; the largest is the confidence. Samples of equal confidence share their mean error.
    target : ndarray [N], int
        True classes.

    Returns
    -------
    float
        In [0, 1], lower = better; NaN without samples.

    References
    ----------
    Geifman et al., Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019.

    Examples
    --------
    >>> area_under_risk_coverage(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
    0.25
    """
    if not len(target):
        return float("nan")
    confidence = probabilities.max(axis=1)
    wrong = (probabilities.argmax(axis=1) != target).astype(np.float64)
    _, group = np.unique(-confidence, return_inverse=True)
    shared = (np.bincount(group, weights=wrong) / np.bincount(group))[np.sort(group)]
    return float((np.cumsum(shared) / np.arange(1, len(target) + 1)).mean())


def expected_calibration_error(probabilities: FloatArray, target: IntArray, bins: int = 15) -> float:
    """Give the expected calibration error, ``sum_b (n_b / N) |accuracy_b - confidence_b|``.

    Parameters
    ----------
    probabilities : ndarray [N, K]
        Class probabilities.
    target : ndarray [N], int
        True classes.
    bins : int, default 15
        Number of equally wide bins of the confidence, each open to the left: ``(a, b]``.

    Returns
    -------
    float
        In [0, 1]; NaN without samples.

    References
    ----------
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, eq. 3.
    """
    if not len(target):
        return float("nan")
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == target
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(which, weights=correct - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(target))


def weight_loss_correlation(weight: FloatArray, loss: FloatArray) -> float:
    """Give Pearson's ``r(w^m, l^m)``; at or below 0 is condition (b) of Theorem 2.

    Parameters
    ----------
    weight, loss : ndarray [n]
        Weight and unimodal loss of the samples that have the modality.

    Returns
    -------
    float
        In [-1, 1]; NaN where it is not defined: fewer than two samples, or a constant weight or loss.

    References
    ----------
    QMF (Zhang et al., ICML 2023), Theorem 2.

    Examples
    --------
    >>> round(weight_loss_correlation(np.array([0.9, 0.5, 0.1]), np.array([0.0, 1.0, 2.0])), 6)
    -1.0
    """
    if len(weight) < 2:
        return float("nan")
    w = weight.astype(np.float64) - weight.mean(dtype=np.float64)
    c = loss.astype(np.float64) - loss.mean(dtype=np.float64)
    scale = np.sqrt((w**2).sum() * (c**2).sum())
    # A constant leaves rounding noise behind, not variance: there is no correlation to speak of.
    noise = 1e-6 * max(1.0, float(np.abs(weight).max()))
    if np.ptp(weight) <= noise or scale == 0.0:
        return float("nan")
    return float(np.clip((w * c).sum() / scale, -1.0, 1.0))
