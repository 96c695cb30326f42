"""Fusion of features instead of decisions: concatenation, alignment, MMTM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qmf.benchmark.methods.base import Method, Step, fused_cross_entropy, mean_where, shares
from qmf.types import FusionOutput

__all__ = ["MMTM", "Alignment", "Concat"]


class Concat(Method):
    """One linear classifier on the features of all modalities side by side; what is absent is zeros."""

    title = "concatenation"

    def __init__(self, widths: Mapping[str, int], num_classes: int, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__(widths, num_classes, hidden=hidden, dropout=dropout)
        self.joint = nn.Linear(hidden * len(widths), num_classes)

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give the joint classifier's logits."""
        w = shares(present)
        return FusionOutput(self.joint(torch.cat(list(h), dim=1)), f, w, torch.zeros_like(w), present)

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give the cross-entropy of the joint classifier; unimodal heads are not trained through it."""
        return fused_cross_entropy(output, target)


class Alignment(Method):
    """Features drawn together by their cosine before late fusion.

    References
    ----------
    Wang et al., Learning Common and Specific Features for RGB-D Semantic Segmentation, ECCV 2016, is what the QMF paper
    calls Align; here the distance is ``1 - cos``.
    """

    title = "alignment"

    def __init__(
        self,
        widths: Mapping[str, int],
        num_classes: int,
        *,
        hidden: int = 128,
        dropout: float = 0.3,
        alignment_weight: float = 0.1,
    ) -> None:
        super().__init__(widths, num_classes, hidden=hidden, dropout=dropout)
        self.alignment_weight = alignment_weight

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give mean logits; the features' distance takes the place of the uncertainty, which there is none of."""
        w = shares(present)
        distance = torch.zeros_like(w)
        pairs = list(combinations(range(len(h)), 2))
        for a, b in pairs:
            apart = (1 - F.cosine_similarity(h[a], h[b], dim=1)) * (present[:, a] & present[:, b]) / len(pairs)
            distance = distance + apart[:, None]
        return FusionOutput((w[..., None] * f).sum(dim=1), f, w, distance, present)

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give fused and unimodal cross-entropies and the distance."""
        unimodal = mean_where(cost, output.present).sum()
        distance = output.uncertainty[:, 0].mean()
        return fused_cross_entropy(output, target) + unimodal + self.alignment_weight * distance


class MMTM(Method):
    """Squeeze-and-excitation across modalities: all of them gate the channels of each.

    References
    ----------
    Joze et al., MMTM: Multimodal Transfer Module for CNN Fusion, CVPR 2020, section 3, for features without places.
    """

    title = "MMTM"

    def __init__(self, widths: Mapping[str, int], num_classes: int, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__(widths, num_classes, hidden=hidden, dropout=dropout)
        squeezed = max(hidden * len(widths) // 4, 8)
        self.squeeze = nn.Linear(hidden * len(widths), squeezed)
        self.excite = nn.Linear(squeezed, hidden * len(widths))

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give mean logits of the gated features."""
        z = torch.relu(self.squeeze(torch.cat(list(h), dim=1)))
        gates = 2 * torch.sigmoid(self.excite(z)).unflatten(1, (len(h), -1))
        gated = self.heads([v * gates[:, m] for m, v in enumerate(h)]).masked_fill(~present[..., None], 0.0)
        w = shares(present)
        return FusionOutput((w[..., None] * gated).sum(dim=1), gated, w, torch.zeros_like(w), present)

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give the cross-entropy of the fused output, as published."""
        return fused_cross_entropy(output, target)
