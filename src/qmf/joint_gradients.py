"""The objective of `robust` in training, with its gradient written out.

There all modalities count the same, and the fused output is that of the joint head, see `qmf.fusion.fuse_credible`:
``J = CE(joint) + sum_m CE(f^m)``, with ``dCE/df_k = (p_k - [k = y]) / B``. Every sample has every modality.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from qmf.logsumexp import softmax_and_log_sum_exp

__all__ = ["JointTerms", "joint_objective"]


class JointTerms(NamedTuple):
    """What `joint_objective` gives.

    Attributes
    ----------
    gradient : Tensor [M, K, B]
        Of the objective, for the unimodal logits.
    of_joint : Tensor [K, B]
        Of the objective, for the joint logits.
    fused : Tensor []
        Mean cross-entropy of the joint logits.
    cost : Tensor [M, B]
        Cross-entropy of each sample's unimodal logits.
    """

    gradient: Tensor
    of_joint: Tensor
    fused: Tensor
    cost: Tensor


def joint_objective(f: Tensor, joint: Tensor, target: Tensor, record: Callable[[Tensor], object]) -> JointTerms:
    """Give the gradient of ``CE(joint) + sum_m CE(f^m)`` and its terms.

    Parameters
    ----------
    f : Tensor [M, K, B]
        Unimodal logits, all there.
    joint : Tensor [K, B]
        Logits of the joint head.
    target : Tensor [B], int64
        True classes.
    record : callable
        Is given the losses [M, B].
    """
    logits = torch.cat([joint[None], f])
    y = target.expand(len(logits), 1, -1)
    p, level = softmax_and_log_sum_exp(logits, dim=1)
    cost = (level - logits.gather(1, y)).squeeze(1)
    one = p.new_full((1,), -1.0).expand(y.shape)
    gradient = p.scatter_add_(1, y, one).mul_(1.0 / len(target))
    record(cost[1:])
    return JointTerms(gradient[1:], gradient[0], cost[0].mean(), cost[1:])
