"""PDF: weights from predicted true-class probabilities, calibrated against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from qmf.benchmark.methods.base import Method, Step, fused_cross_entropy, mean_where
from qmf.types import FusionOutput

__all__ = ["PDF"]

_EDGE = 1e-4  # keeps the logarithms of confidences away from 0 and from minus infinity


class PDF(Method):
    """Predictive dynamic fusion: mono- and holo-confidence, relative calibration at test time.

    References
    ----------
    Cao et al., Predictive Dynamic Fusion, ICML 2024, section 3. The calibration compares two modalities there; with
    more of them each is compared with the mean of the others.
    """

    title = "PDF"
    weighs = True

    def __init__(self, widths: Mapping[str, int], num_classes: int, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__(widths, num_classes, hidden=hidden, dropout=dropout)
        self.confidence = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)) for _ in widths
        )

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give ``sum_m w^m f^m``; the uncertainty is ``1 - `` the predicted true-class probability."""
        predicted = torch.cat([net(v.detach()) for net, v in zip(self.confidence, h, strict=True)], dim=1)
        mono = predicted.sigmoid().clamp(_EDGE, 1 - _EDGE)
        logs = mono.detach().log() * present
        holo = (logs.sum(dim=1, keepdim=True) - logs) / logs.sum(dim=1, keepdim=True).clamp(max=-_EDGE)
        belief = mono.detach() + holo
        if not self.training:
            belief = belief * self._calibration(f, present)
        w = belief.masked_fill(~present, -torch.inf).softmax(dim=1)
        return FusionOutput((w[..., None] * f).sum(dim=1), f, w, 1 - mono, present)

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give fused and unimodal cross-entropies, and how far off the predicted probabilities are."""
        off = ((1 - output.uncertainty) - (-cost.detach()).exp()).abs()
        both = mean_where(cost, output.present).sum() + mean_where(off, output.present).sum()
        return fused_cross_entropy(output, target) + both

    @staticmethod
    def _calibration(f: Tensor, present: Tensor) -> Tensor:
        """Give 1 where a modality's distribution is further from uniform than the others', else the ratio."""
        k = f.shape[-1]
        peaked = (f.softmax(dim=-1) - 1 / k).abs().mean(dim=-1) * present
        others = (peaked.sum(dim=1, keepdim=True) - peaked) / (present.sum(dim=1, keepdim=True) - 1).clamp(min=1)
        return (peaked / others.clamp(min=1e-9)).clamp(max=1.0)
