"""Networks of frozen encoders as modules: from the tensors of a `GraphInput` to what the encoder's ``encode`` gives.

Encoders compute with them, and they are what is exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from qmf.encoders.efficientnet import EfficientNetLite0
from qmf.encoders.text_features import mean_pooled
from qmf.encoders.transformers_tuning import pooled_hidden
from qmf.encoders.word_pieces import PAD

__all__ = ["AsRows", "Called", "PictureNetwork", "PieceRows", "TextNetwork", "VisionNetwork", "WaveNetwork"]


class AsRows(nn.Module):
    """Numbers as they are, flattened: for encoders whose network is trained with the model."""

    def forward(self, x: Tensor) -> Tensor:
        """Give [B, D] of [B, ...]."""
        return x.float().flatten(1)


class Called(nn.Module):
    """A user's own network, whose answer becomes float32."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Give [B, D] of what the reader gives."""
        h: Tensor = self.module(x)
        return h.float()


class PictureNetwork(nn.Module):
    """An `EfficientNetLite0`, or a part of it, on squares [B, size, size, 3].

    Parameters
    ----------
    network : EfficientNetLite0
        In its form for inference.
    part : {"forward", "stages", "trunk"}
        Which of its methods.
    flip : bool
        Average with the mirror image.
    """

    def __init__(self, network: EfficientNetLite0, part: str, *, flip: bool) -> None:
        super().__init__()
        self.network, self.part, self.flip = network, part, flip

    def forward(self, x: Tensor) -> Tensor:
        """Give rows [B, D] of squares."""
        ask = getattr(self.network, self.part)
        h = ask(x)
        if self.flip:
            h = (h + ask(x.flip(2))) / 2
        rows: Tensor = h.float().flatten(1)
        return rows


class VisionNetwork(nn.Module):
    """A transformers vision model on squares [B, size, size, 3]; without a network, the normalised pixels."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, scale: float, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network, self.scale = network, scale
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Give rows [B, D] of squares."""
        x = (x.permute(0, 3, 1, 2) * self.scale - self.mean) / self.std
        h = x if self.network is None else pooled_hidden(self.network(pixel_values=x))
        return h.float().flatten(1)


class TextNetwork(nn.Module):
    """A transformers text model, mean-pooled to unit length; a text without any word piece is zero."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Give rows [B, D] of ids and mask [B, T]."""
        pooled = mean_pooled(self.network(input_ids=ids, attention_mask=mask).last_hidden_state, mask)
        # Of no word piece, attention makes NaN.
        return pooled.float().masked_fill((mask == 0).all(dim=1, keepdim=True), 0.0)


class PieceRows(nn.Module):
    """Ids and mask as the rows that a `TextBackbone` takes."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Give rows [B, T]."""
        return torch.where(mask > 0, ids, int(PAD)).float()


class WaveNetwork(nn.Module):
    """A transformers audio model on waveforms [B, T], the mean of its last hidden states; without one, the waveforms.

    Parameters
    ----------
    network : transformers model or None
        Takes ``input_values``.
    normalise : bool
        Bring each waveform to mean 0 and variance 1, as Wav2Vec2's feature extractor does.
    """

    def __init__(self, network: Any, *, normalise: bool) -> None:
        super().__init__()
        self.network, self.normalise = network, normalise

    def forward(self, x: Tensor) -> Tensor:
        """Give rows [B, D] of waveforms."""
        if self.normalise:
            x = (x - x.mean(dim=1, keepdim=True)) / (x.var(dim=1, correction=0, keepdim=True) + 1e-7).sqrt()
        if self.network is None:
            return x
        hidden: Tensor = self.network(input_values=x).last_hidden_state
        return hidden.mean(dim=1).float()
