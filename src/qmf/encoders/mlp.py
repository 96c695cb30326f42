"""Encoder for ready-made feature vectors."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

__all__ = ["MLPEncoder"]


class MLPEncoder(nn.Module):
    """Standardise, then one hidden layer: ``h = dropout(relu(W (x - mean) / std + b))``.

    Parameters
    ----------
    in_features : int
        D, width of the vectors.
    out_features : int, default 128
        Width of the hidden layer.
    dropout : float in [0, 1), default 0.3
        Share of hidden units switched off in training; kept to 1/256 where `qmf.training` draws a byte for each.

    Attributes
    ----------
    mean, std : Tensor [D]
        Of the training set, set by `standardise`; 0 and 1 before.

    Examples
    --------
    >>> MLPEncoder(3, 8)(torch.zeros(2, 3)).shape
    torch.Size([2, 8])
    """

    mean: Tensor
    std: Tensor
    takes_vectors: ClassVar[bool] = True  # their typicality is judged, not that of the hidden layer

    def __init__(self, in_features: int, out_features: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.register_buffer("mean", torch.zeros(in_features))
        self.register_buffer("std", torch.ones(in_features))
        self.hidden = nn.Linear(in_features, out_features)
        self.dropout = nn.Dropout(dropout)

    @torch.no_grad()
    def standardise(self, x: Tensor) -> None:
        """Take mean and standard deviation from training vectors.

        Parameters
        ----------
        x : Tensor [n, D]
            The vectors that are present; with none, nothing changes. A constant feature keeps a deviation of 1.
        """
        if not len(x):
            return
        x = x.double()
        mean = x.mean(dim=0)
        self.mean.copy_(mean)
        # Not `Tensor.std`, which takes twice as long.
        spread = (x - mean).square_().mean(dim=0).sqrt_()
        # Rounding leaves a constant column with a spread near 0, which would blow it up at test time.
        constant = spread <= 1e-7 * x.abs().amax(dim=0).clamp(min=1e-30)
        self.std.copy_(spread.masked_fill(constant, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Give features [B, out_features] of vectors [B, D]."""
        return self.of_standardised((x - self.mean) / self.std)

    def of_standardised(self, z: Tensor) -> Tensor:
        """Give features [B, out_features] of vectors [B, D] that are standardised already."""
        h: Tensor = self.dropout(torch.relu(self.hidden(z)))
        return h
