"""The state of every global random generator, to be put back bit for bit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qmf.randomness import derive_seed

__all__ = ["get_random_state", "seeded", "set_random_state"]

_NUMPY_STREAM = "MT19937"


def get_random_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Give the state of torch (CPU and every CUDA device), NumPy and Python.

    Returns
    -------
    tensors : dict of str to Tensor
        The part that is bytes.
    values : dict
        The part that fits JSON.
    """
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002  # what users' code draws from
    tensors = {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(np.asarray(keys).astype(np.int64))}
    if torch.cuda.is_available():
        tensors |= {f"cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    version, internal, gauss = random.getstate()
    values = {"numpy": [int(position), int(has_gauss), float(cached)], "python": [version, list(internal), gauss]}
    return tensors, values


def set_random_state(tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    """Put back what `get_random_state` gave; parameters as its results."""
    torch.set_rng_state(tensors["torch"])
    position, has_gauss, cached = values["numpy"]
    keys = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state((_NUMPY_STREAM, keys, position, has_gauss, cached))  # noqa: NPY002
    version, internal, gauss = values["python"]
    random.setstate((version, tuple(internal), gauss))
    states = [tensors[f"cuda.{i}"] for i in range(sum(name.startswith("cuda.") for name in tensors))]
    if states and torch.cuda.device_count() == len(states):
        torch.cuda.set_rng_state_all(states)


@contextmanager
def seeded(seed: int, *keys: str | int) -> Iterator[None]:
    """Seed all global generators with (seed, *keys) for a block, and leave them as they were before it.

    Parameters
    ----------
    seed : int
        The user's seed.
    *keys : str or int
        What is drawn in the block.
    """
    before = get_random_state()
    derived = derive_seed(seed, *keys)
    random.seed(derived)
    np.random.seed(derived % 2**32)  # noqa: NPY002
    torch.manual_seed(derived)
    try:
        yield
    finally:
        set_random_state(*before)
