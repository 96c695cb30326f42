"""Transformers vision and audio models that are trained with the model, on rows of numbers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from qmf.errors import ConfigError

__all__ = ["RowsBackbone", "pooled_hidden", "train_last_layer_only"]


class RowsBackbone(nn.Module):
    """A transformers model on flattened inputs: rows [B, D] become what it takes, its answer is pooled.

    Parameters
    ----------
    network : transformers model
        With ``last_hidden_state``.
    argument : str
        Name of its input, "pixel_values" or "input_values".
    shape : tuple of int
        Of one input.
    width : int
        Of its features.
    last_only : bool
        Train its last layer alone.
    """

    def __init__(self, network: Any, argument: str, shape: tuple[int, ...], width: int, *, last_only: bool) -> None:
        super().__init__()
        self.network, self.argument, self.shape, self.out_features = network, argument, shape, width
        network.requires_grad_(not last_only)
        if last_only:
            train_last_layer_only(network)

    def forward(self, x: Tensor) -> Tensor:
        """Give features [B, width] of rows [B, D]."""
        dtype = next(self.network.parameters()).dtype
        return pooled_hidden(self.network(**{self.argument: x.unflatten(1, self.shape).to(dtype)}))


def pooled_hidden(output: Any) -> Tensor:
    """Give a model's own pooled output; else the mean of its last hidden states over time or places."""
    pooled: Tensor | None = getattr(output, "pooler_output", None)
    if pooled is not None:
        return pooled.flatten(1)
    hidden: Tensor = output.last_hidden_state
    return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))


def train_last_layer_only(network: nn.Module) -> None:
    """Let gradients flow to the last of a network's layers, the longest list of modules in it.

    Raises
    ------
    ConfigError
        If it has no such list.
    """
    lists = [module for module in network.modules() if isinstance(module, nn.ModuleList) and len(module)]
    if not lists:
        raise ConfigError("this model has no list of layers: tune 'full' or keep it frozen.")
    max(lists, key=len)[-1].requires_grad_(True)
