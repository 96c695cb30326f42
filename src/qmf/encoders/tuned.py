"""Encoders that are trained with the model: a pretrained network, or its last block, under a new hidden layer."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from qmf.encoders.mlp import MLPEncoder
from qmf.encoders.placement import placed

__all__ = ["Tune", "TunedEncoder"]

Tune = Literal["frozen", "last-block", "full"]

_ROWS = 64  # per forward pass while features are standardised


class TunedEncoder(nn.Module):
    """A network and an `MLPEncoder` on its features: ``h = mlp(backbone(x))``.

    Batch normalisation in the backbone keeps the statistics it was trained with: batches of fine-tuning are small, and
    rows of absent samples are zeros.

    Parameters
    ----------
    backbone : nn.Module
        Takes rows [B, D] and has ``out_features``. Trained with ``backbone_learning_rate``.
    hidden : int
        Width of the hidden layer.
    dropout : float
        Dropout after it.

    Attributes
    ----------
    out_features : int
        `hidden`.
    """

    def __init__(self, backbone: nn.Module, hidden: int, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.mlp = MLPEncoder(int(backbone.out_features), hidden, dropout)  # type: ignore[arg-type]
        self.out_features = hidden

    def train(self, mode: bool = True) -> TunedEncoder:
        """Switch to training or evaluation; batch normalisation stays in evaluation."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    @torch.no_grad()
    def standardise(self, x: Tensor) -> None:
        """Standardise the backbone's features, as they are before training, over training rows [n, D]."""
        if not len(x):
            return
        device = placed(None)
        backbone = self.backbone.eval().to(device)
        self.mlp.standardise(torch.cat([backbone(rows.to(device)).cpu() for rows in x.split(_ROWS)]))
        self.backbone.to(x.device)
        self.train(self.training)

    def forward(self, x: Tensor) -> Tensor:
        """Give features [B, hidden] of rows [B, D]."""
        h: Tensor = self.mlp(self.backbone(x))
        return h
