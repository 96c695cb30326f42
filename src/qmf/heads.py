"""Classification heads: from the features of every modality to its logits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qmf.errors import ConfigError

__all__ = ["BatchedLinearHeads", "SeparateHeads", "classification_heads", "feature_widths"]


class BatchedLinearHeads(nn.Module):
    """A linear layer per modality, for features of one width; on an accelerator all in one matrix product.

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
        if features[0].device.type == "cpu":  # where stacking features costs more than one product saves
            layers = zip(features, self.weight.unbind(), self.bias.unbind(), strict=True)
            return torch.stack([F.linear(h, weight, bias) for h, weight, bias in layers], dim=1)
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


def classification_heads(widths: Mapping[str, int], num_classes: int, given: Mapping[str, nn.Module]) -> nn.Module:
    """Give the heads of a model: linear layers, all in one product where their widths allow it, or the user's own.

    Parameters
    ----------
    widths : mapping of str to int
        Modalities in order, with the width ``D_m`` of their features.
    num_classes : int
        K.
    given : mapping of str to nn.Module
        Heads by modality that are the user's own.

    Returns
    -------
    nn.Module
        From M features [B, D_m] to logits [B, M, K].

    Raises
    ------
    ConfigError
        If `given` names an unknown modality.
    """
    unknown = [name for name in given if name not in widths]
    if unknown:
        raise ConfigError(f"heads names {unknown[0]!r}: expected some of {list(widths)}.")
    if not given and len(set(widths.values())) == 1:
        return BatchedLinearHeads(len(widths), next(iter(widths.values())), num_classes)
    return SeparateHeads(widths, num_classes, given)


def feature_widths(
    encoders: Mapping[str, nn.Module], num_classes: int, given: Mapping[str, nn.Module]
) -> tuple[int, ...]:
    """Give the width of each encoder's features; parameters as `classification_heads`.

    Raises
    ------
    ConfigError
        If an encoder has no integer ``out_features`` and its head is not `nn.Identity`.
    """
    return tuple(_width(name, encoder, given.get(name), num_classes) for name, encoder in encoders.items())


def _width(name: str, encoder: nn.Module, head: nn.Module | None, num_classes: int) -> int:
    if isinstance(head, nn.Identity):
        return num_classes
    width = getattr(encoder, "out_features", None)
    if not isinstance(width, int):
        raise ConfigError(
            f"the encoder of modality {name!r} has no integer out_features: set it to the width of its output,"
            f" or pass heads={{{name!r}: nn.Identity()}} if it already gives logits."
        )
    return width
