"""QMF with weights by credibility: the preset `robust`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from qmf.benchmark.methods.base import Method, shares
from qmf.fusion import fuse_credible
from qmf.types import FusionOutput
from qmf.uncertainty import Credibility
from qmf.weighting import SimplexWeights

__all__ = ["QMFRobust"]


class QMFRobust(Method):
    """Trained as `MatchedStatic`; asked, each modality counts as far as it is credible. See `qmf.uncertainty`."""

    title = "QMF (robust)"
    weighs = True

    def __init__(self, widths: Mapping[str, int], num_classes: int, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__(widths, num_classes, hidden=hidden, dropout=dropout)
        self.uncertainty, self.weighting = Credibility(len(widths)), SimplexWeights()

    def forward(self, x: Sequence[Tensor], present: Tensor) -> FusionOutput:
        """Classify a batch; see `Method.forward`."""
        _, f = self.unimodal(self.standardised(x), present)
        return fuse_credible(f, self.uncertainty, x, present, self.weighting)

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give the mean of the logits, as training takes it."""
        w = shares(present)
        return FusionOutput((w[..., None] * f).sum(dim=1), f, w, torch.zeros_like(w), present)

    def settle(self, x: Sequence[Tensor], present: Tensor) -> None:
        """Learn what is typical."""
        self.uncertainty.fit(x, present)
