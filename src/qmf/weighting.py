"""From uncertainty to weight: a map from ``u [B, M]`` to ``w [B, M]``, decreasing in each modality's own ``u``.

That it decreases is condition (b) of Theorem 2: where uncertainty follows the loss, ``Cov(w^m, l^m) <= 0``.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qmf.errors import ConfigError

__all__ = ["WEIGHTINGS", "ConstantWeights", "LinearWeights", "ReservedWeights", "SimplexWeights", "named_weighting"]


class LinearWeights(nn.Module):
    """The paper's linear map, ``w^m = alpha u^m + beta`` with ``alpha < 0``; 0 where absent.

    Neither non-negative nor summing to 1, so Theorem 1 does not literally cover it.

    Parameters
    ----------
    alpha : float, default -0.1
        Slope, negative.
    beta : float, default 0
        Intercept: the larger, the more equal the weights.

    Raises
    ------
    ValueError
        If `alpha` is not negative.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 3.3: ``w^m = alpha^m u^m + beta^m``; values of the official code.
    """

    def __init__(self, alpha: float = -0.1, beta: float = 0.0) -> None:
        super().__init__()
        if not alpha < 0:
            raise ValueError(f"alpha must be negative (higher uncertainty, lower weight), got {alpha}")
        self.alpha = alpha
        self.beta = beta

    def forward(self, uncertainty: Tensor, present: Tensor | None = None) -> Tensor:
        """Give ``alpha u + beta``.

        Parameters
        ----------
        uncertainty : Tensor [B, M]
            ``u``, higher = worse; whatever stands where absent is ignored.
        present : Tensor [B, M], bool, or None
            True where a modality is there; None = everywhere.

        Returns
        -------
        Tensor [B, M]
            Weights; exactly 0 where absent.
        """
        w = self.alpha * uncertainty
        if self.beta:
            w = w + self.beta
        return w if present is None else w.masked_fill(~present, 0.0)


class SimplexWeights(nn.Module):
    """Weights in [0, 1] that sum to 1 over what is present: ``w = softmax_m(-u^m / tau)``.

    This is the setting of Theorem 1. ``w^m`` decreases in ``u^m``, and the sensitivity is set by ``tau``.

    Parameters
    ----------
    tau : float, default 1
        Temperature, positive: large = close to equal weights, small = winner takes all.

    Raises
    ------
    ValueError
        If `tau` is not positive.

    References
    ----------
    QMF (Zhang et al., ICML 2023), Theorem 1 (weights on the simplex).
    """

    def __init__(self, tau: float = 1.0) -> None:
        super().__init__()
        if not tau > 0:
            raise ValueError(f"tau must be positive, got {tau}")
        self.tau = tau

    def forward(self, uncertainty: Tensor, present: Tensor | None = None) -> Tensor:
        """Give ``softmax(-u / tau)`` over the present modalities; parameters as in `LinearWeights.forward`."""
        score = uncertainty / -self.tau
        if present is not None:
            score = score.masked_fill(~present, -torch.inf)
        return score.softmax(dim=-1)


class ReservedWeights(SimplexWeights):
    """Weights as an opinion on whom to trust: ``w^m = a^m / (1 + sum_j a^j)`` with ``a^m = exp(-u^m / tau)``.

    What is missing from 1 is given to none, ``w^0 = 1 / (1 + sum_j a^j)``, so that all weights fall where all
    modalities are bad, and two weights need not rise and fall against each other. ``(w^0, w^1, ..., w^M)`` is on the
    simplex, the setting of Theorem 1 with one modality more, which never says anything; in proportion to each other the
    weights are those of `SimplexWeights`, whose parameter and errors it has.

    References
    ----------
    Jøsang, Subjective Logic, 2016, section 3.5: belief mass ``r / (W + sum r)`` and uncertainty mass ``W / (W + sum
    r)`` of evidence r; here ``W = 1``, as much as the evidence ``a`` of a modality that is surely intact and right.
    """

    def forward(self, uncertainty: Tensor, present: Tensor | None = None) -> Tensor:
        """Give ``a / (1 + sum a)`` over the present modalities; parameters as in `LinearWeights.forward`."""
        # One modality more, of uncertainty 0, that is always there and gets no say.
        u = F.pad(uncertainty, (1, 0))
        there = None if present is None else F.pad(present, (1, 0), value=True)
        return super().forward(u, there)[..., 1:]


class ConstantWeights(nn.Module):
    """Static fusion: the same weight for every modality that is there, ``w^m = 1 / (number present)``.

    With the losses of QMF this is the *matched* static baseline: the only thing that differs is the weight.
    """

    def forward(self, uncertainty: Tensor, present: Tensor | None = None) -> Tensor:
        """Give equal weights over the present modalities; parameters as in `LinearWeights.forward`."""
        there = torch.ones_like(uncertainty) if present is None else present.to(uncertainty.dtype)
        return there / there.sum(dim=-1, keepdim=True)


WEIGHTINGS: dict[str, type[nn.Module]] = {
    "linear": LinearWeights,
    "simplex": SimplexWeights,
    "reserved": ReservedWeights,
    "constant": ConstantWeights,
}


def named_weighting(given: str | None, usual: str, ceiling: float | None) -> nn.Module:
    """Give the weighting of a name, for uncertainties of at most `ceiling`.

    Parameters
    ----------
    given : str or None
        Key of `WEIGHTINGS` that was asked for; "linear:2" is linear with ``beta = 2``.
    usual : str
        The preset's, where none was; "linear" gives way to "simplex" where `ceiling` is infinite.
    ceiling : float or None
        See `qmf.uncertainty.UncertaintyEstimator.ceiling`.

    Returns
    -------
    nn.Module
        Linear weights have ``beta = -alpha ceiling``: 0 where u is largest, and never negative. Without a ceiling
        ``beta`` is 0 as in the official code, whose energy is negative for logits of some size.

    Raises
    ------
    ConfigError
        If there is none of that name, ``beta`` is no number, or linear weights are asked for that would be negative.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 3.3: ``alpha^m < 0``, and some ``beta^m`` meets any static weight.
    """
    unbounded = ceiling == math.inf
    name, colon, intercept = (given or ("simplex" if unbounded and usual == "linear" else usual)).partition(":")
    if name not in WEIGHTINGS or (colon and name != "linear"):
        raise ConfigError(f"weighting={given!r} does not exist; expected one of {', '.join(WEIGHTINGS)}, linear:BETA.")
    if name == "linear" and unbounded:
        raise ConfigError(
            "weighting='linear': this uncertainty has no upper bound, so that weights would be negative; expected"
            " 'simplex', 'reserved' or 'constant'."
        )
    least = -LinearWeights().alpha * (ceiling or 0.0)
    if name == "linear":
        return LinearWeights(beta=_intercept(intercept, least) if colon else least)
    return WEIGHTINGS[name]()


def _intercept(text: str, least: float) -> float:
    try:
        beta = float(text)
    except ValueError:
        beta = math.nan
    if not least <= beta < math.inf:
        raise ConfigError(
            f"weighting='linear:{text}': expected a number of at least {least:g} after the colon, so that no weight is"
            " negative."
        )
    return beta
