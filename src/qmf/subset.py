"""Some of the samples, by their positions: what is trained on and what is held out, without copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qmf.data import Samples
from qmf.randomness import keyed_generator

__all__ = ["Subset"]


@dataclass(frozen=True)
class Subset:
    """Rows of samples that may be too many for memory.

    Attributes
    ----------
    samples : Samples
        All of them; labels are positions of classes.
    rows : ndarray [n], int64
        Which of them.
    """

    samples: Samples
    rows: NDArray[np.intp]

    @classmethod
    def of_all(cls, samples: Samples) -> Subset:
        """Give all of the samples."""
        return cls(samples, np.arange(len(samples)))

    def __len__(self) -> int:
        return len(self.rows)

    def at_most(self, n: int, seed: int, purpose: str) -> Subset:
        """Give `n` of them, drawn by (seed, purpose) and in their own order; or all, if they are not more."""
        if len(self) <= n:
            return self
        drawn = keyed_generator(seed, purpose).choice(len(self), n, replace=False)
        return Subset(self.samples, self.rows[np.sort(drawn)])

    def copied(self) -> Samples:
        """Give them alone, in memory."""
        return self.samples if len(self) == len(self.samples) else self.samples.take(self.rows)

    def vectors(self, modality: str) -> Tensor:
        """Give the vectors [n', D_m] of a modality, in memory, where it is there."""
        m = self.samples.modalities.index(modality)
        there = self.rows[self.samples.present[self.rows, m]]
        return torch.from_numpy(np.asarray(self.samples.features[modality][there]))
