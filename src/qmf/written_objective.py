"""The objective of a batch with its gradients, without autograd, for the models whose gradients are written out.

All of it is for an objective that is `plain`, for batches in which every sample has every modality, and to be called
where autograd is off. What comes out is what `qmf.objective.QMFObjective` gives, and leaves in the history.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from qmf.energy_gradients import energy_objective
from qmf.joint_gradients import joint_objective
from qmf.objective import ObjectiveTerms, QMFObjective
from qmf.objective_gradients import WantedOrder, wanted_order
from qmf.weighting import LinearWeights

__all__ = ["Record", "of_energy", "of_joint", "wanted_ahead"]

Record = Callable[[Tensor, Tensor], None]
"""Takes samples [B] and their unimodal losses [B, M], in place of the history, which is to get them in this epoch."""


def of_energy(
    objective: QMFObjective,
    f: Tensor,
    target: Tensor,
    index: Tensor,
    weighting: LinearWeights,
    *,
    detach_weights: bool,
    wanted: WantedOrder | None = None,
    record: Record | None = None,
) -> tuple[ObjectiveTerms, Tensor]:
    """Give the objective of a batch, and its gradient, for energy and linear weights.

    Parameters
    ----------
    objective : QMFObjective
        What to minimise.
    f : Tensor [M, 1, K, B]
        Unimodal logits.
    target, index : Tensor [B], int64
        True classes; which samples of the training set these are.
    weighting : LinearWeights
        Gives the weights.
    detach_weights : bool
        See `qmf.presets.Preset`.
    wanted : WantedOrder [M, B], optional
        What `wanted_ahead` gave for this batch.
    record : Record, optional
        Only together with `wanted`.

    Returns
    -------
    terms : ObjectiveTerms
        Of the batch.
    gradient : Tensor [M, 1, K, B]
        For `f`.
    """

    def recall(cost: Tensor) -> WantedOrder | None:
        order, losses = wanted, cost[:, 0].T
        if order is not None:
            (record or objective.record)(index, losses)
        elif (known := objective.recall(losses, index=index, there=None)) is not None:
            order = wanted_order(known[0].T, known[1].T, objective.choices.gap, dim=1)
        return None if order is None else WantedOrder(order.g[:, None], order.size[:, None])

    gradient, fused, cost, ranking = energy_objective(
        f,
        target[None],
        recall,
        alpha=weighting.alpha,
        beta=weighting.beta,
        lambda_=objective.lambda_,
        detach_weights=detach_weights,
    )
    unimodal = cost.mean(dim=2)[:, 0]
    ranked = torch.zeros_like(unimodal) if ranking is None else ranking[:, 0]
    loss = fused[0] + unimodal.sum() + objective.lambda_ * ranked.sum()
    return ObjectiveTerms(loss, fused[0], unimodal, ranked, None), gradient


def wanted_ahead(objective: QMFObjective, index: Tensor, batch_size: int) -> WantedOrder | None:
    """Give what the history wants in several batches that follow each other, in one go instead of batch by batch.

    That is the same where no sample comes twice. Beside small encoders it saves a tenth of a step.

    Parameters
    ----------
    objective : QMFObjective
        Has the history.
    index : Tensor [n B], int64
        The samples of n batches.
    batch_size : int
        B.

    Returns
    -------
    WantedOrder [M, n, B] or None
        None where nothing is ranked, or the history takes a batch's losses before it is asked.
    """
    history, choices = objective.history, objective.choices
    if history is None or not objective.lambda_ or choices.record_first:
        return None
    kappa, known = (v.T.unflatten(1, (-1, batch_size)) for v in history.kappa(index))
    return wanted_order(kappa, known, choices.gap, dim=2)


def of_joint(
    objective: QMFObjective, f: Tensor, joint: Tensor, target: Tensor, index: Tensor, record: Record | None = None
) -> tuple[ObjectiveTerms, Tensor, Tensor]:
    """Give the objective of a batch, and its gradients, for equal weights and a joint head; without regulariser.

    Parameters
    ----------
    objective : QMFObjective
        What to minimise.
    f, joint, target
        As in `qmf.joint_gradients.joint_objective`.
    index : Tensor [B], int64
        Which samples of the training set these are.
    record : Record, optional
        By default, the history takes them.

    Returns
    -------
    terms : ObjectiveTerms
        Of the batch.
    gradient : Tensor [M, K, B]
        For `f`.
    of_joint : Tensor [K, B]
        For `joint`.
    """
    terms = joint_objective(f, joint, target, lambda cost: (record or objective.record)(index, cost.T))
    unimodal = terms.cost.mean(dim=1)
    loss = terms.fused + unimodal.sum()
    result = ObjectiveTerms(loss, terms.fused, unimodal, torch.zeros_like(unimodal), None)
    return result, terms.gradient, terms.of_joint
