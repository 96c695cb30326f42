"""What dropout draws, so that it belongs to (seed, epoch, place in the epoch's order), whoever trains that sample."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from qmf.randomness import keyed_generator

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
        self._bits: np.random.Philox

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
            self._bits = keyed_generator(self.seed, "dropout", epoch).bit_generator  # type: ignore[assignment]
            # One step of Philox is four words; where that leaves a remainder, the words of `skipped` come first.
            steps, skipped = divmod(first * self._words, 4)
            self._bits.advance(steps)
            self._bits.random_raw(skipped)
        self._next = (epoch, first + count)
        words = self._bits.random_raw(count * self._words).astype("<u8", copy=False)
        return torch.from_numpy(words.view(np.uint8).reshape(count, -1)[:, : self.units])
