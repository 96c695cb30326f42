"""Temperature scaling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_temperature"]


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

    References
    ----------
    Guo et al., ICML 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    f = logits.astype(np.float64)
    rows = np.arange(len(target))

    def loss(log_t: float) -> float:
        return float(-log_softmax(f / np.exp(log_t), axis=1)[rows, target].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded").x))
