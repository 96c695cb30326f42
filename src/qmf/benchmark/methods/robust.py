"""QMF with weights by credibility: the preset `robust`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from qmf.benchmark.methods.base import Method, shares
from qmf.fusion import fuse_credible
from qmf.types import FusionOutput
from qmf.uncertainty import Credibility
from qmf.weighting import ReservedWeights

__all__ = ["QMFRobust"]


class QMFRobust(Method):
    """A head on all features beside the unimodal ones; asked, each counts as far as it is credible.

    See `qmf.uncertainty.credibility.believe`.
    """

    title = "QMF (robust)"
    weighs = True

    def __init__(self, widths: Mapping[str, int], num_classes: int, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__(widths, num_classes, hidden=hidden, dropout=dropout)
        self.uncertainty, self.weighting = Credibility(len(widths)), ReservedWeights()
        self.joint = nn.Linear(hidden * len(widths), num_classes)

    def forward(self, x: Sequence[Tensor], present: Tensor) -> FusionOutput:
        """Classify a batch; see `Method.forward`."""
        h, f = self.unimodal(x, present)
        joint = self.joint(torch.cat(h, dim=1))
        return fuse_credible(f, self.uncertainty, x, present, self.weighting, joint)

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give what training takes: the joint head where all is there, the mean of the logits elsewhere."""
        w = shares(present)
        mean, joint = (w[..., None] * f).sum(dim=1), self.joint(torch.cat(list(h), dim=1))
        logits = torch.where(present.all(dim=1, keepdim=True), joint, mean)
        return FusionOutput(logits, f, w, torch.zeros_like(w), present)

    def settle(self, x: Sequence[Tensor], present: Tensor) -> None:
        """Learn what is typical."""
        self.uncertainty.fit(x, present)
