"""What dropout draws, so that it belongs to (seed, epoch, place in the epoch's order), whoever trains that sample."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from qmf.randomness import derive_seed

__all__ = ["DropoutDraws"]


class DropoutDraws:
    """A byte decides about each unit: a rate is kept to 1/256, and drawing takes a tenth of the time of floats.

    Parameters
    ----------
    seed : int
        Key of all draws.
    units : int
        How many a sample has.
    bound : int in 0..256
        A unit is dropped if its byte, uniform on 0..255, is below.
    """

    def __init__(self, seed: int, units: int, bound: int) -> None:
        self.seed, self.units, self.bound = seed, units, bound
        self._words = -(-units // 8)  # of 64 bits for each sample
        self._next = (-1, 0)
        self._bits: np.random.PCG64

    def take(self, epoch: int, first: int, count: int) -> Tensor:
        """Say which units of some samples are kept.

        Parameters
        ----------
        epoch : int
            Which epoch.
        first, count : int
            Place of the first sample in the order of the epoch, and how many.

        Returns
        -------
        Tensor [count, units], uint8
            0 where dropped, else 1.
        """
        if self._next != (epoch, first):
            # Not the generator of `qmf.randomness`, which takes three times as long for words by the thousand.
            self._bits = np.random.PCG64(derive_seed(self.seed, "dropout", epoch))
            self._bits.advance(first * self._words)
        self._next = (epoch, first + count)
        words = self._bits.random_raw(count * self._words).astype("<u8", copy=False)
        kept = words.view(np.uint8) >= self.bound
        return torch.from_numpy(kept.view(np.uint8).reshape(count, -1)[:, : self.units])
