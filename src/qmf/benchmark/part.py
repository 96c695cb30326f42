"""Samples as the methods of the benchmark see them: vectors, what is there, and what was damaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Part"]


@dataclass(frozen=True)
class Part:
    """Samples as a method sees them.

    Attributes
    ----------
    features : dict of str to ndarray [N, D_m], float32
        By modality, in order.
    present : ndarray [N, M], bool
        True where a modality is there.
    target : ndarray [N], int64
        True classes.
    damaged : ndarray [N, M], bool
        True where the benchmark has damaged a modality; all False in training.
    ids : ndarray [N] of str
        Sample ids.
    """

    features: dict[str, NDArray[np.float32]]
    present: NDArray[np.bool_]
    target: NDArray[np.int64]
    damaged: NDArray[np.bool_]
    ids: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: NDArray[np.intp]) -> Part:
        """Give some of the samples."""
        features = {name: x[rows] for name, x in self.features.items()}
        return Part(features, self.present[rows], self.target[rows], self.damaged[rows], self.ids[rows])
