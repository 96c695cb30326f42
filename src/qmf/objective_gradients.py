"""The objective with its gradients written out, in fewer operations than autograd would record and undo.

Beside small encoders the objective is made of operations on a few thousand numbers, each of which costs its call. What
`qmf.objective` and `qmf.ranking` say is computed here in one pass, with the derivatives

- ``dCE/df_k = p_k - [k = y]``,
- ``dL_reg/dw_i = d_i - d_(i-1)`` with ``d_i = g_i / n`` where the pair (i, i + 1) counts and costs, else 0,

for the fused logits, the unimodal logits and the weights; autograd goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from qmf.logsumexp import softmax_and_log_sum_exp
from qmf.ranking import Gap

__all__ = ["Recall", "Terms", "WantedOrder", "objective_terms", "ranked", "wanted_order"]

Recall = Callable[[Tensor], tuple[Tensor, Tensor] | None]
"""From the losses [B, M] of a batch to its normalised history ``kappa`` and where it is known; None: no regulariser."""


class Terms(NamedTuple):
    """What `objective_terms` gives; only `loss` has a gradient.

    Attributes
    ----------
    loss : Tensor []
        ``CE(fused) + sum_m CE(f^m) + lambda sum_m L_reg^m``.
    means : Tensor [1 + M]
        Cross-entropies, the fused one first.
    ranking : Tensor [M]
        ``L_reg^m``.
    """

    loss: Tensor
    means: Tensor
    ranking: Tensor


def objective_terms(
    fused: Tensor,
    f: Tensor,
    weights: Tensor,
    target: Tensor,
    share: Tensor | None,
    recall: Recall,
    lambda_: float,
    gap: Gap,
) -> Terms:
    """Give the objective of a batch and its terms.

    Parameters
    ----------
    fused : Tensor [B, K]
        Fused logits.
    f : Tensor [B, M, K]
        Unimodal logits.
    weights : Tensor [B, M]
        ``w^m``.
    target : Tensor [B], int64
        True classes.
    share : Tensor [B, 1 + M] or None
        What each loss counts in the mean of its column, 0 where there is none; None: all count the same.
    recall : callable
        Gives the history; may record the losses it is given. A pair of adjacent samples counts where both have one.
    lambda_ : float
        Weight of the regulariser.
    gap : {"margin", "slack"}
        As in `qmf.ranking.ranking_loss`.
    """
    return Terms(*_Objective.apply(fused, f, weights, target, share, recall, lambda_, gap))  # type: ignore[no-untyped-call]


class _Objective(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        fused: Tensor,
        f: Tensor,
        weights: Tensor,
        target: Tensor,
        share: Tensor | None,
        recall: Recall,
        lambda_: float,
        gap: Gap,
    ) -> tuple[Tensor, Tensor, Tensor]:
        logits = torch.cat([fused[:, None], f], dim=1)
        y = target[:, None, None].expand(*logits.shape[:2], 1)
        p, level = softmax_and_log_sum_exp(logits, dim=-1)
        cost = (level - logits.gather(2, y)).squeeze(2)
        gradient = p.scatter_add_(2, y, p.new_full((1,), -1.0).expand_as(y))
        gradient.mul_(1.0 / len(gradient) if share is None else share[..., None])
        means = cost.mean(dim=0) if share is None else (cost * share).sum(dim=0)
        loss, ranking, slope = means.sum(), cost.new_zeros(f.shape[1]), None
        known = recall(cost[:, 1:])
        if known is not None:
            ranking, slope = ranked(weights, wanted_order(*known, gap, dim=0), dim=0)
            loss, slope = loss + lambda_ * ranking.sum(), slope.mul_(lambda_)
        ctx.save_for_backward(gradient, slope)
        ctx.mark_non_differentiable(means, ranking)
        ctx.set_materialize_grads(False)
        return loss, means, ranking

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_loss: Tensor | None, *others: None) -> tuple[Tensor | None, ...]:
        if of_loss is None:
            return (None,) * 8
        gradient, slope = ctx.saved_tensors
        gradient = gradient * of_loss
        of_weights = slope * of_loss if slope is not None and ctx.needs_input_grad[2] else None
        return gradient[:, 0], gradient[:, 1:], of_weights, *(None,) * 5


class WantedOrder(NamedTuple):
    """What the history wants of the weights of adjacent samples i and j = i + 1; the last is followed by the first.

    Attributes
    ----------
    g : Tensor
        ``sign(kappa_i - kappa_j) / n`` of the n pairs that count, 0 of the others.
    size : Tensor
        ``|kappa_i - kappa_j| / n``, below 0 if the gap is a slack.
    """

    g: Tensor
    size: Tensor


def wanted_order(kappa: Tensor, known: Tensor, gap: Gap, dim: int) -> WantedOrder:
    """Give the part of ``L_reg`` that does not depend on the weights.

    Parameters
    ----------
    kappa, known, gap
        As in `qmf.ranking.ranking_loss`, with any axes beside that of the batch.
    dim : int
        Axis of the batch.
    """
    harder, counts = kappa - kappa.roll(-1, dim), known & known.roll(-1, dim)
    g = harder.sign().mul_(counts / counts.sum(dim=dim, keepdim=True).clamp(min=1))
    size = harder.mul_(g)
    return WantedOrder(g, size if gap == "margin" else size.neg_())


def ranked(weights: Tensor, order: WantedOrder, dim: int) -> tuple[Tensor, Tensor]:
    """Give ``L_reg`` over the adjacent pairs of a batch, as `qmf.ranking.ranking_loss`, and its derivative.

    Parameters
    ----------
    weights : Tensor
        In the shape of the order.
    order : WantedOrder
        Of the same batch.
    dim : int
        Axis of the batch.

    Returns
    -------
    ranking : Tensor
        Without the axis of the batch.
    slope : Tensor
        Its derivative for `weights`, in their shape.
    """
    cost = torch.addcmul(order.size, order.g, weights - weights.roll(-1, dim)).clamp_(min=0.0)
    d = torch.ops.aten.threshold_backward(order.g, cost, 0.0)  # g where a pair costs
    return cost.sum(dim=dim), d - d.roll(1, dim)
