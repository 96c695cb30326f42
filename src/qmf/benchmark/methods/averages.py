"""Classifiers of single modalities, each trained alone, and averages of what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from qmf.benchmark.methods.base import Method, Step, mean_where, shares
from qmf.types import FusionOutput

__all__ = ["BestSingle", "ProbabilityAverage", "ProductOfExperts"]

_SMALLEST = 1e-30


class ProductOfExperts(Method):
    """Sum of the log-probabilities of classifiers that know nothing of each other."""

    title = "product of experts"

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give ``sum_m log p^m`` over what is there."""
        logits = (f.log_softmax(dim=-1) * present[..., None]).sum(dim=1)
        return FusionOutput(logits, f, shares(present), torch.zeros_like(f[..., 0]), present)

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give the cross-entropy of each modality."""
        return mean_where(cost, output.present).sum()


class ProbabilityAverage(ProductOfExperts):
    """Mean of the probabilities of classifiers that know nothing of each other."""

    title = "probability average"

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give ``log mean_m p^m`` over what is there."""
        w = shares(present)
        p = (w[..., None] * f.softmax(dim=-1)).sum(dim=1)
        return FusionOutput(p.clamp(min=_SMALLEST).log(), f, w, torch.zeros_like(w), present)


class BestSingle(ProductOfExperts):
    """The one modality that is best on held-out data; where it is absent, the best of the others is not asked for.

    Attributes
    ----------
    chosen : Tensor [M]
        1 for that modality. Set before training by the benchmark, from a part of the training data that the
        choosing run does not see.
    """

    title = "best single modality"
    chooses = True
    chosen: Tensor

    def __init__(self, widths: Mapping[str, int], num_classes: int, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__(widths, num_classes, hidden=hidden, dropout=dropout)
        self.register_buffer("chosen", torch.ones(len(widths)))

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give the chosen modality's logits; uniform where it is absent."""
        w = self.chosen * present
        return FusionOutput((w[..., None] * f).sum(dim=1), f, w, torch.zeros_like(w), present)
