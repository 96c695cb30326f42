"""Image networks that are trained with the model, on rows of numbers: pixels, or what the frozen part gave."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from qmf.encoders.efficientnet import EfficientNetLite0

__all__ = ["FlatPictures", "LastBlock", "SmallCNN"]


class FlatPictures(nn.Module):
    """A network of pictures, on rows: [B, size * size * 3] becomes [B, size, size, 3]."""

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network, self.size = network, size
        self.out_features = int(network.out_features)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Give features of flattened pictures."""
        h: Tensor = self.network(x.unflatten(1, (self.size, self.size, 3)))
        return h


class LastBlock(nn.Module):
    """Last block and head of an `EfficientNetLite0`, on rows of what its trunk gave."""

    def __init__(self, network: EfficientNetLite0, side: int) -> None:
        super().__init__()
        self.block, self.head, self.side = network.blocks[-1], network.head, side
        self.out_features = network.out_features

    def forward(self, x: Tensor) -> Tensor:
        """Give features [B, 1280] of rows [B, 192 * side * side]."""
        h: Tensor = self.head(self.block(x.unflatten(1, (-1, self.side, self.side))))
        return h.mean(dim=(2, 3))


class SmallCNN(nn.Module):
    """Four convolutions from scratch, each halving the picture; for pictures unlike photos, and for little data.

    Normalised by groups, not by batch, so that no sample changes another's features.

    Parameters
    ----------
    channels : int
        Of the picture.
    out_features : int
        Width of the features, a multiple of 8.

    Examples
    --------
    >>> SmallCNN()(torch.zeros(2, 32, 32, 3)).shape
    torch.Size([2, 128])
    """

    def __init__(self, channels: int = 3, out_features: int = 128) -> None:
        super().__init__()
        widths = [channels, 16, 32, 64, out_features]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8, b), nn.ReLU())
            for a, b in pairwise(widths)
        )
        self.out_features = out_features

    def forward(self, x: Tensor) -> Tensor:
        """Give features [B, out_features] of pictures [B, H, W, channels] with numbers from 0 to 255."""
        weight = self.stages[0][0].weight  # type: ignore[index]
        h = (x.permute(0, 3, 1, 2).to(weight.dtype) - 127.0) / 128.0
        for stage in self.stages:
            h = stage(h)
        return torch.mean(h, dim=(2, 3))
