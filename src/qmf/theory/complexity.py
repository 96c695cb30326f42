"""How much a linear head could have learnt from noise: the empirical Rademacher complexity of its norm ball."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmf.floor import FLOOR
from qmf.randomness import keyed_generator

__all__ = ["DRAWS", "Complexity", "LinearHead", "contraction_factor", "head_complexity", "lipschitz_constant"]

DRAWS = 100
"""Draws of signs behind a Monte Carlo estimate."""

Array = NDArray[np.floating]


class LinearHead(NamedTuple):
    """A modality's head ``z = W h``, as far as its complexity depends on it.

    Attributes
    ----------
    features : ndarray [N, D]
        ``h``; a head with a bias has a last feature of 1.
    norm : float
        ``||W||_F``, bias included.
    """

    features: NDArray[np.float64]
    norm: float


@dataclass(frozen=True)
class Complexity:
    """Empirical Rademacher complexity of the heads in a ball, in units of logits: before any contraction.

    Attributes
    ----------
    norm : float
        B, radius of the ball.
    monte_carlo : float
        ``R = B / n E || sum_i sigma_i h_i^T ||_F`` over signs ``sigma [K]``, estimated.
    standard_error : float
        Of that estimate.
    norm_bound : float
        ``B / n sqrt(K sum_i ||h_i||^2)``, which R never exceeds.
    """

    norm: float
    monte_carlo: float
    standard_error: float
    norm_bound: float


def head_complexity(
    head: LinearHead,
    num_classes: int,
    *,
    weights: Array | None = None,
    draws: int = DRAWS,
    random_state: int = 0,
    key: str = "",
) -> Complexity:
    """Give the empirical Rademacher complexity of ``{h -> V h : ||V||_F <= B}`` with B the head's own norm.

    ``R = 1/n E sup_V sum_ik sigma_ik (V h_i)_k = B/n E || sum_i sigma_i h_i^T ||_F``.

    Parameters
    ----------
    head : LinearHead
        Of n samples.
    num_classes : int
        K.
    weights : ndarray [n], optional
        ``w_i >= 0``: the complexity is then that of ``w_i V h_i``, which is what a weighted loss needs.
    draws : int
        Draws of the n K signs.
    random_state : int
        Key of the draws.
    key : str
        What else the draws belong to.

    Returns
    -------
    Complexity
        NaN without samples.

    Notes
    -----
    O(draws n K D) time, O(n (K + D)) memory.

    References
    ----------
    Bartlett and Mendelson, Rademacher and Gaussian Complexities, JMLR 2002. The norm bound is Jensen's inequality.

    Examples
    --------
    >>> one = LinearHead(np.array([[3.0, 4.0]]), norm=2.0)
    >>> head_complexity(one, 1)  # one sample, one sign: 2 * 5, whatever is drawn
    Complexity(norm=2.0, monte_carlo=10.0, standard_error=0.0, norm_bound=10.0)
    """
    h = np.asarray(head.features, dtype=np.float64)
    if weights is not None:
        h = np.asarray(weights, dtype=np.float64)[:, None] * h
    n = len(h)
    if n == 0:
        return Complexity(head.norm, math.nan, math.nan, math.nan)
    rng = keyed_generator(random_state, "Rademacher", key)
    norms = np.empty(draws)
    for i in range(draws):
        signs = 2.0 * rng.integers(0, 2, size=(num_classes, n), dtype=np.int8) - 1.0
        norms[i] = np.linalg.norm(signs @ h)
    scale = head.norm / n
    return Complexity(
        norm=head.norm,
        monte_carlo=float(scale * norms.mean()),
        standard_error=float(scale * norms.std() / math.sqrt(draws)),
        norm_bound=float(scale * math.sqrt(num_classes * np.square(h).sum())),
    )


def lipschitz_constant(num_classes: int) -> float:
    """Give the Lipschitz constant of `bounded_loss` in the logits, Euclidean norm.

    ``L = sqrt(2) (sqrt(1 + a) - sqrt(a))^2 / log(K / epsilon)`` with ``a = epsilon / (K (1 - epsilon))``.

    Notes
    -----
    The gradient is ``p_y / (p_y + a) (p - e_y)`` over ``log(K / epsilon)``, and ``||p - e_y|| <= sqrt(2) (1 - p_y)``,
    with equality where one other class has the rest. ``p (1 - p) / (p + a)`` is largest at ``sqrt(a^2 + a) - a``.

    Examples
    --------
    >>> round(lipschitz_constant(10), 4)
    0.2309
    """
    a = FLOOR / (num_classes * (1 - FLOOR))
    return math.sqrt(2) * (math.sqrt(1 + a) - math.sqrt(a)) ** 2 / math.log(num_classes / FLOOR)


def contraction_factor(num_classes: int) -> float:
    """Give ``2 sqrt(2) L``, what turns the complexity of logits into a gap between risk and mean loss.

    2 is symmetrisation, ``sqrt(2) L`` the vector contraction. In the binary case of Theorem 1, with 0-1 loss, the
    contraction is 1/2 and cancels the 2.

    References
    ----------
    Maurer, A vector-contraction inequality for Rademacher complexities, ALT 2016, corollary 1.
    Mohri, Rostamizadeh and Talwalkar, Foundations of Machine Learning, 2nd edition, theorem 3.3.
    """
    return 2 * math.sqrt(2) * lipschitz_constant(num_classes)
