"""What dropout draws, so that it belongs to (seed, epoch, place in the epoch's order), whoever trains that sample."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from qmf.randomness import derive_seed

__all__ = ["DropoutDraws"]


class DropoutDraws:
    """A byte for each unit of each sample: a rate is kept to 1/256, and drawing takes a tenth of the time of floats.

    Parameters
    ----------
    seed : int
        Key of all draws.
    units : int
        How many a sample has.
    """

    def __init__(self, seed: int, units: int) -> None:
        self.seed, self.units = seed, units
        self._words = -(-units // 8)  # of 64 bits for each sample
        self._next = (-1, 0)
        self._bits: np.random.PCG64

    def take(self, epoch: int, first: int, count: int) -> Tensor:
        """Give the bytes of some samples.

        Parameters
        ----------
        epoch : int
            Which epoch.
        first, count : int
            Place of the first sample in the order of the epoch, and how many.

        Returns
        -------
        Tensor [count, units], uint8
            Uniform on 0..255.
        """
        if self._next != (epoch, first):
            # Not the generator of `qmf.randomness`, which takes three times as long for words by the thousand.
            self._bits = np.random.PCG64(derive_seed(self.seed, "dropout", epoch))
            self._bits.advance(first * self._words)
        self._next = (epoch, first + count)
        words = self._bits.random_raw(count * self._words).astype("<u8", copy=False)
        return torch.from_numpy(words.view(np.uint8).reshape(count, -1)[:, : self.units])
