"""Selective prediction: answer only where confidence is so high that errors among the answers stay below a target."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qmf.errors import ConfigError

__all__ = ["DELTA", "error_bound", "risk_threshold"]

DELTA = 0.05  # chance that the promise about errors does not hold
_STARTS = 3


IntArray = NDArray[np.integer]


def error_bound(errors: IntArray | int, answered: IntArray | int, delta: float) -> NDArray[np.float64]:
    """Give the exact upper limit of an error rate, of which `errors` among `answered` samples were seen.

    Parameters
    ----------
    errors, answered : int or ndarray of int
        Of samples drawn independently.
    delta : float in (0, 1)
        Chance that the true rate is above the limit.

    Returns
    -------
    ndarray of their shape
        In [0, 1]; 1 where nothing was answered.

    References
    ----------
    Clopper and Pearson, Biometrika 1934: the rate at which so few errors have probability `delta`.

    Examples
    --------
    >>> round(float(error_bound(0, 59, 0.05)), 4)  # 1 - 0.05^(1/59)
    0.0495
    """
    from scipy.special import betaincinv

    right = np.asarray(answered) - errors
    limit = betaincinv(np.asarray(errors) + 1, np.maximum(right, 1), 1 - delta)
    bound: NDArray[np.float64] = np.where(right > 0, limit, 1.0)
    return bound


def risk_threshold(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], risk: float, delta: float = DELTA
) -> float:
    """Give the confidence from which on at most a share `risk` of answers is wrong, with probability ``1 - delta``.

    Parameters
    ----------
    confidence : ndarray [n]
        Of held-out samples; ``-inf`` for those that are never answered.
    correct : ndarray [n], bool
        Whether the answer is right.
    risk : float in (0, 1)
        Greatest error rate among answered samples.
    delta : float in (0, 1), default 0.05
        Chance, over the draw of the held-out samples, that the error rate is above `risk` all the same.

    Returns
    -------
    float
        Answer where the confidence is at least this; infinite where no threshold can be promised.

    Raises
    ------
    ConfigError
        If `risk` is out of range.

    Notes
    -----
    From a start, thresholds are tried downwards until `error_bound` is above `risk` for the first time. In such a fixed
    sequence every trial may use the whole of its `delta`: the first threshold that is too low passes with at most that
    probability. There are three starts with a third of `delta` each, so that a few errors among the most confident do
    not forbid all answers: as many samples as would do if all were right, ``ln(delta) / ln(1 - risk)``; all samples;
    and half-way. The binary search of SGR divides `delta` by its ``log2 n`` steps and begins in the middle, where few
    samples can show nothing: with 160 held-out samples and a risk of 0.05 it hardly ever answers.

    References
    ----------
    Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017, section 3 (SGR: the aim and
    the bound). Angelopoulos et al., Learn then Test, 2021 (fixed sequence testing).

    Examples
    --------
    A hundred sure answers are right, and one of a hundred guesses: to give the guesses too would be wrong too often.

    >>> confidence, correct = np.repeat([0.9, 0.6], 100), np.arange(200) < 101
    >>> risk_threshold(confidence, correct, 0.05)
    0.9
    """
    if not 0 < risk < 1:
        raise ConfigError(f"risk={risk!r}: expected a number between 0 and 1, the share of answers that may be wrong.")
    answerable = np.isfinite(confidence)
    if not answerable.any():
        return math.inf
    levels, group = np.unique(-confidence[answerable], return_inverse=True)
    answered = np.cumsum(np.bincount(group, minlength=len(levels)))
    errors = np.cumsum(np.bincount(group[~correct[answerable]], minlength=len(levels)))
    delta = delta / _STARTS
    failed = error_bound(errors, answered, delta) > risk
    passed = np.zeros(len(levels), dtype=bool)
    for start in np.linspace(math.log(delta) / math.log1p(-risk), len(confidence), _STARTS):
        begun = answered >= min(start, answered[-1])
        passed |= begun & ~np.logical_or.accumulate(begun & failed)
    return float(-levels[passed].max()) if passed.any() else math.inf
