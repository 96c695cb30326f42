"""The paper's objective on the logits of S models at once, with its gradient written out.

Energy and linear weights are a handful of operations on small tensors, of which autograd would record and undo three
times as many. What `qmf.uncertainty.Energy`, `qmf.weighting.LinearWeights`, `qmf.fusion` and `qmf.objective` say is
computed here in one pass, where every sample has every modality. With ``w^m = -alpha L^m + beta``, ``L^m =
logsumexp(f^m) = -E^m`` and ``p^m = softmax(f^m)``, the gradient is

``dJ/df^m = (p^m - [k = y]) / B + w^m g + s^m (-alpha) p^m``,

where ``g = dCE(fused)/dfused`` and ``s^m = dJ/dw^m = <g, f^m> + lambda dL_reg/dw^m``.

Classes come before samples in memory: sums over a short last axis take three times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from qmf.logsumexp import softmax_and_log_sum_exp
from qmf.objective_gradients import WantedOrder, ranked

__all__ = ["EnergyTerms", "energy_objective"]


class EnergyTerms(NamedTuple):
    """What `energy_objective` gives.

    Attributes
    ----------
    gradient : Tensor [M, S, K, B]
        Of each model's objective, for its unimodal logits.
    fused : Tensor [S]
        Mean cross-entropy of the fused logits.
    cost : Tensor [M, S, B]
        Cross-entropy of each sample's unimodal logits.
    ranking : Tensor [M, S] or None
        ``L_reg^m``; None without history.
    """

    gradient: Tensor
    fused: Tensor
    cost: Tensor
    ranking: Tensor | None


def energy_objective(
    f: Tensor,
    target: Tensor,
    recall: Callable[[Tensor], WantedOrder | None],
    *,
    alpha: float,
    beta: float,
    lambda_: float,
    detach_weights: bool,
) -> EnergyTerms:
    """Give the gradient of ``CE(fused) + sum_m CE(f^m) + lambda sum_m L_reg^m`` and its terms.

    Parameters
    ----------
    f : Tensor [M, S, K, B]
        Unimodal logits, all there.
    target : Tensor [S, B], int64
        True classes.
    recall : callable
        From the losses [M, S, B] to what the history of these samples wants, in their shape; None = no regulariser.
        May record the losses.
    alpha, beta : float
        Of `qmf.weighting.LinearWeights`.
    lambda_, detach_weights
        See `qmf.presets.Preset`.
    """
    m, batch, y = len(f), f.shape[3], target[:, None]
    own = y.expand(m, *y.shape)
    p, level = softmax_and_log_sum_exp(f, dim=2)
    w = level * -alpha
    if beta:
        w += beta
    fused = (w * f).sum(dim=0)
    cost = (level - f.gather(2, own)).squeeze(2)
    g, of_fused = softmax_and_log_sum_exp(fused, dim=1)
    loss = (of_fused - fused.gather(1, y)).mean(dim=(1, 2))
    one = f.new_full((1,), -1.0 / batch)
    g.mul_(1.0 / batch).scatter_add_(1, y, one.expand(y.shape))
    slope, ranking = None if detach_weights else (g * f).sum(dim=2, keepdim=True), None
    wanted = recall(cost)
    if wanted is not None:
        ranking, of_weights = ranked(w.squeeze(2), wanted, dim=2)
        of_weights = of_weights[:, :, None]
        slope = of_weights.mul_(lambda_) if slope is None else slope.add_(of_weights, alpha=lambda_)
    gradient = p.mul_(1.0 / batch) if slope is None else p.mul_(slope.mul_(-alpha).add_(1.0 / batch))
    gradient.addcmul_(w, g).scatter_add_(2, own, one.expand(own.shape))
    return EnergyTerms(gradient, loss, cost, ranking)
