"""Modules whose tensors come from data, and so do their sizes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["LearntBuffers"]


class LearntBuffers(nn.Module):
    """A module with buffers that are empty until it has been fitted, and that are loaded whatever their size.

    Parameters
    ----------
    *names : str
        Of the buffers.
    """

    def __init__(self, *names: str) -> None:
        super().__init__()
        for name in names:
            self.register_buffer(name, torch.empty(0))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        for name, value in list(self.named_buffers(recurse=False)):
            saved = state_dict.get(prefix + name)
            if saved is not None and saved.shape != value.shape:
                setattr(self, name, value.new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
