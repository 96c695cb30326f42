"""The precision in which weights and losses are computed, whatever that of the encoders."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["full_precision"]


def full_precision(x: Tensor) -> Tensor:
    """Give `x` in float32, or in float64 if it is: half precision overflows in a sum of exponentials.

    Parameters
    ----------
    x : Tensor
        Of any floating type.

    Returns
    -------
    Tensor
        `x` itself where nothing is to be done.
    """
    return x if x.dtype == torch.float64 else x.float()
