"""Memory that every step of training uses again."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Workspace"]


class Workspace:
    """Tensors by name and shape, made once.

    A large tensor that is made anew in every step costs more than most of what is computed in it: the system hands out
    its pages one by one, each filled with zeros first.

    Parameters
    ----------
    device : torch.device
        Where they are.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._held: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def __call__(self, name: str, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Give the tensor of this name and shape; what stands in it is left from its last use."""
        held = self._held.get((name, shape))
        if held is None:
            held = self._held[name, shape] = torch.empty(shape, dtype=dtype, device=self.device)
        return held
