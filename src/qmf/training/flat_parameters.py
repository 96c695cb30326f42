"""Parameters side by side in one block of memory, so that an optimiser's step is one operation, not one for each."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["FlatParameters"]


class FlatParameters:
    """Copies of parameters in one tensor, and their gradients in another.

    Parameters
    ----------
    params : mapping of str to Tensor
        By name, of any shapes.

    Attributes
    ----------
    block : Parameter [1, P]
        All values, a matrix as what optimisers decay; its ``grad`` holds all gradients, zeros at first.
    values, gradients : dict of str to Tensor
        Views into `block` and its gradient, in the shapes of `params`.
    """

    def __init__(self, params: Mapping[str, Tensor]) -> None:
        self.block = torch.nn.Parameter(torch.cat([p.detach().flatten() for p in params.values()])[None])
        self.block.grad = torch.zeros_like(self.block)
        shapes = {name: p.shape for name, p in params.items()}
        self.values, self.gradients = _views(self.block.detach(), shapes), _views(self.block.grad, shapes)


def _views(block: Tensor, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    parts = block[0].split([shape.numel() for shape in shapes.values()])
    return {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
