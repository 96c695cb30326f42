"""EfficientNet-Lite0: a small image network without squeeze-and-excitation, and its fast form for inference."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EfficientNetLite0", "folded"]

# Repeats, kernel, stride, expansion, output channels of the seven stages (EfficientNet, table 1).
_STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
_STEM, _HEAD, _EPSILON = 32, 1280, 1e-3
_POOLED = {10: 112, 14: 192, 15: 320}  # last block of each of the last three stages, and its channels


class ConvUnit(nn.Module):
    """Convolution, batch normalisation and, if asked, ReLU6; "same" padding as TensorFlow pads."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, act: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=_EPSILON, momentum=0.01)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """Give [B, outputs, ceil(H / stride), ceil(W / stride)]."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        (left, right), (top, bottom) = _same(x.shape[3], kernel, stride), _same(x.shape[2], kernel, stride)
        if left != right or top != bottom:  # only then is a padded copy needed
            x, left, top = F.pad(x, [left, right, top, bottom]), 0, 0
        x = F.conv2d(x, self.conv.weight, self.conv.bias, stride, (top, left), 1, self.conv.groups)
        x = self.norm(x)
        return F.relu6(x, inplace=True) if self.act else x


class Block(nn.Module):
    """Inverted residual block: widen, filter each channel, narrow; the input added where shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        units = [ConvUnit(inputs, inner, 1, act=True)] if expansion > 1 else []
        units += [ConvUnit(inner, inner, kernel, stride, inner, act=True), ConvUnit(inner, outputs, 1, act=False)]
        self.units = nn.Sequential(*units)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Give the block's features."""
        h: Tensor = self.units(x)
        return h + x if self.residual else h


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 without its classifier: pictures to 1280 features.

    Attributes
    ----------
    out_features, stages_out_features : int
        1280 of `forward`, 1904 of `stages`.

    References
    ----------
    Tan and Le, EfficientNet, ICML 2019, table 1; the Lite variant drops squeeze-and-excitation, uses ReLU6 and keeps
    stem and head at 32 and 1280 channels (TensorFlow blog, Higher accuracy on vision models with EfficientNet-Lite).

    Examples
    --------
    >>> EfficientNetLite0()(torch.zeros(1, 64, 64, 3, dtype=torch.uint8)).shape
    torch.Size([1, 1280])
    """

    out_features = _HEAD
    stages_out_features = sum(_POOLED.values()) + _HEAD

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvUnit(3, _STEM, 3, 2, act=True)
        channels, blocks = _STEM, []
        for repeats, kernel, stride, expansion, outputs in _STAGES:
            for repeat in range(repeats):
                blocks.append(Block(channels, outputs, kernel, stride if repeat == 0 else 1, expansion))
                channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvUnit(channels, _HEAD, 1, act=True)

    def forward(self, x: Tensor) -> Tensor:
        """Give features [B, 1280] of pictures [B, H, W, 3] with numbers from 0 to 255."""
        return self.tail(self.trunk(x))

    def stages(self, x: Tensor) -> Tensor:
        """Give the mean over places at the end of each of the last three stages, and what `forward` gives."""
        h, means = self._stemmed(x), []
        for index, block in enumerate(self.blocks):
            h = block(h)
            if index in _POOLED:
                means.append(h.mean(dim=(2, 3)))
        means.append(self.head(h).mean(dim=(2, 3)))
        return torch.cat(means, dim=1)

    def trunk(self, x: Tensor) -> Tensor:
        """Give what the last block takes, [B, 192, H / 32, W / 32], of pictures [B, H, W, 3]."""
        h = self._stemmed(x)
        for block in self.blocks[:-1]:
            h = block(h)
        return h

    def tail(self, h: Tensor) -> Tensor:
        """Give features [B, 1280] of what `trunk` gave: the last block, the head and the mean over places."""
        features: Tensor = self.head(self.blocks[-1](h))
        return features.mean(dim=(2, 3))

    def _stemmed(self, x: Tensor) -> Tensor:
        weight = self.stem.conv.weight
        # Channels-last already: the permuted view of [B, H, W, 3] has that layout.
        h: Tensor = self.stem((x.permute(0, 3, 1, 2).to(weight.dtype) - 127.0) / 128.0)
        return h


def folded(network: EfficientNetLite0) -> EfficientNetLite0:
    """Give a copy for inference: batch normalisation folded into the convolutions, channels last.

    Parameters
    ----------
    network : EfficientNetLite0
        Trained.

    Returns
    -------
    EfficientNetLite0
        Same features to 1e-5; no gradients.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for unit in network.modules():
        if isinstance(unit, ConvUnit):
            _fold(unit)
    for module in (network.stem, network.blocks, network.head):
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _fold(unit: ConvUnit) -> None:
    norm: Any = unit.norm
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    unit.conv.weight.data = (unit.conv.weight.double() * gain[:, None, None, None]).float()
    unit.conv.bias = nn.Parameter((norm.bias.double() - norm.running_mean.double() * gain).float(), requires_grad=False)
    unit.norm = nn.Identity()


def _same(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Give the padding before and after that makes ceil(length / stride) places; the odd one goes after."""
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2
