"""A transformers text model that is trained with the model, on rows of `qmf.encoders.word_pieces.piece_rows`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from qmf.encoders.text_features import mean_pooled
from qmf.encoders.transformers_tuning import train_last_layer_only

__all__ = ["TextBackbone"]


class TextBackbone(nn.Module):
    """A text model on rows of ids, mean-pooled to unit length.

    Parameters
    ----------
    network : transformers model
        With ``last_hidden_state``.
    width : int
        Of its hidden states.
    last_only : bool
        Train its last layer alone.
    """

    def __init__(self, network: Any, width: int, *, last_only: bool) -> None:
        super().__init__()
        self.network, self.out_features = network, width
        network.requires_grad_(not last_only)
        if last_only:
            train_last_layer_only(network)

    def forward(self, x: Tensor) -> Tensor:
        """Give features [B, width] of rows [B, T]: ids as numbers, `PAD` behind the last; zeros are no text."""
        mask = (x >= 0).long()
        mask[:, 0] = 1  # a row of an absent text must not be empty
        ids = torch.where(mask.bool(), x, 0).long()
        return mean_pooled(self.network(input_ids=ids, attention_mask=mask).last_hidden_state, mask)
