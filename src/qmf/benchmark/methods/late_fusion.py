"""Late fusion: the mean of the unimodal logits, as published and matched."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from qmf.benchmark.methods.base import Method, Step, fused_cross_entropy, shares
from qmf.types import FusionOutput

__all__ = ["LateFusion", "MaskOracle", "MatchedStatic"]


class MatchedStatic(Method):
    """Mean logits, trained with the losses of QMF: all that differs from QMF is the weight and its regulariser."""

    title = "static (matched)"

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give the mean of the logits over what is there."""
        w = shares(present)
        u = torch.zeros_like(w)
        return FusionOutput((w[..., None] * f).sum(dim=1), f, w, u, present)


class LateFusion(MatchedStatic):
    """Mean logits, trained by the cross-entropy of the fused output alone, as late fusion is mostly published."""

    title = "late fusion (published)"

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give the cross-entropy of the fused output."""
        return fused_cross_entropy(output, target)


class MaskOracle(MatchedStatic):
    """`MatchedStatic` that is told which modalities were damaged and leaves them out: the limit of any weighting."""

    title = "mask oracle"
    sees_damage = True
