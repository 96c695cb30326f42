"""Temperature scaling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_temperature", "left_out_temperatures"]

_STEP = 1e-3  # of log T, for derivatives
_FARTHEST = np.log(2.0)  # that log T may move when one sample is left out


def best_temperature(logits: NDArray[np.floating], target: NDArray[np.integer]) -> float:
    """Give the temperature in [0.05, 20] that minimises the negative log-likelihood of ``softmax(logits / T)``.

    Parameters
    ----------
    logits : ndarray [n, K]
        Logits.
    target : ndarray [n], int
        True classes.

    Returns
    -------
    float
        ``T``.

    Notes
    -----
    Each sample counts ``1/(n + 2)`` for the most probable other class, and the rest for its own. Without that, n
    samples that are all answered rightly ask for a temperature of 0: certainty from a few samples.

    References
    ----------
    Guo et al., ICML 2017, section 4.2. Platt, Probabilistic Outputs for Support Vector Machines, 1999, section 2.2
    (targets that stay away from 0 and 1).
    """
    from scipy.optimize import minimize_scalar

    losses = _losses(logits, target)
    bounds = (np.log(0.05), np.log(20.0))
    return float(np.exp(minimize_scalar(lambda log_t: losses(log_t).mean(), bounds=bounds, method="bounded").x))


def left_out_temperatures(
    logits: NDArray[np.floating], target: NDArray[np.integer], temperature: float
) -> NDArray[np.float64]:
    """Give for each sample the temperature that the other samples ask for.

    Parameters
    ----------
    logits, target
        As in `best_temperature`.
    temperature : float
        What `best_temperature` gives for them.

    Returns
    -------
    ndarray [n]
        ``log T_i = log T + g_i / (H - h_i)``, one step of Newton from the best temperature of all, where ``g_i`` and
        ``h_i`` are the derivatives of the sample's loss by ``log T``, and H is the sum of the latter.

    References
    ----------
    Beirami et al., On Optimal Generalizability in Parametric Learning, NeurIPS 2017 (leaving one out in one step).
    """
    losses, log_t = _losses(logits, target), float(np.log(temperature))
    below, here, above = (losses(log_t + step) for step in (-_STEP, 0.0, _STEP))
    slope, curvature = (above - below) / (2 * _STEP), (above - 2 * here + below) / _STEP**2
    others = np.maximum(curvature.sum() - curvature, 1e-9)
    moved: NDArray[np.float64] = temperature * np.exp(np.clip(slope / others, -_FARTHEST, _FARTHEST))
    return moved


def _losses(logits: NDArray[np.floating], target: NDArray[np.integer]) -> Callable[[float], NDArray[np.float64]]:
    """Give the function from ``log T`` to the loss of each sample [n]."""
    from scipy.special import log_softmax

    f = logits.astype(np.float64)
    rows = np.arange(len(target))
    others = f.copy()
    others[rows, target] = -np.inf
    share, second = 1 / (len(f) + 2), others.argmax(axis=1)

    def losses(log_t: float) -> NDArray[np.float64]:
        log_p = log_softmax(f / np.exp(log_t), axis=1)
        given: NDArray[np.float64] = -((1 - share) * log_p[rows, target] + share * log_p[rows, second])
        return given

    return losses
