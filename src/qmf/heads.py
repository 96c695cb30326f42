"""Classification heads: from the features of every modality to its logits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

__all__ = ["BatchedLinearHeads", "SeparateHeads"]


class BatchedLinearHeads(nn.Module):
    """A linear layer per modality, all in one matrix product: for features of one width.

    Parameters
    ----------
    num_modalities, in_features, num_classes : int
        M, D and K.

    Attributes
    ----------
    weight : Parameter [M, K, D]
        Initialised as in `torch.nn.Linear`.
    bias : Parameter [M, K]
        Likewise.
    """

    def __init__(self, num_modalities: int, in_features: int, num_classes: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(num_modalities, num_classes, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_modalities, num_classes).uniform_(-bound, bound))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Give logits [B, M, K] of M features [B, D]."""
        h = torch.stack(list(features))
        return torch.baddbmm(self.bias[:, None], h, self.weight.transpose(1, 2)).transpose(0, 1)


class SeparateHeads(nn.Module):
    """Any head per modality: for features of different widths, and for heads of the user's own.

    Parameters
    ----------
    in_features : mapping of str to int
        Width of each modality's features.
    num_classes : int
        K.
    given : mapping of str to nn.Module
        Heads that are not linear layers of this package, from features to logits [B, K].
    """

    def __init__(self, in_features: Mapping[str, int], num_classes: int, given: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            given[name] if name in given else nn.Linear(width, num_classes) for name, width in in_features.items()
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Give logits [B, M, K] of M features [B, D_m]."""
        return torch.stack([head(h) for head, h in zip(self.heads, features, strict=True)], dim=1)
