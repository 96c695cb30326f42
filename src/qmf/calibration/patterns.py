"""Patterns of availability: which combinations of modalities are calibrated, and which one a sample has."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = ["pattern_positions", "patterns_to_calibrate"]

_ALL_UP_TO = 6  # modalities of which every combination is calibrated: 63 of them


def patterns_to_calibrate(present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give the combinations of modalities that are worth calibrating.

    Parameters
    ----------
    present : ndarray [n, M], bool
        Of held-out samples.

    Returns
    -------
    ndarray [P, M], bool
        All ``2^M - 1`` where M is at most 6. Of more modalities: all, all but one, every single one, and the
        combinations that are there. The largest first, each once.

    Examples
    --------
    >>> patterns_to_calibrate(np.ones((1, 2), dtype=bool)).astype(int)
    array([[1, 1],
           [1, 0],
           [0, 1]])
    """
    count = present.shape[1]
    everything = range(count)
    sizes = range(count, 0, -1) if count <= _ALL_UP_TO else (count, count - 1, 1)
    chosen = {kept for size in sizes for kept in combinations(everything, size)}
    chosen |= {tuple(np.flatnonzero(row).tolist()) for row in np.unique(present, axis=0)} - {()}
    ordered = sorted(chosen, key=lambda kept: (-len(kept), kept))
    return np.array([[m in kept for m in everything] for kept in ordered], dtype=bool)


def pattern_positions(patterns: NDArray[np.bool_], present: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give the position of each sample's pattern.

    Parameters
    ----------
    patterns : ndarray [P, M], bool
        Known patterns.
    present : ndarray [N, M], bool
        Samples.

    Returns
    -------
    ndarray [N], int
        0..P-1; -1 where the pattern is not among them.
    """
    where = {row.tobytes(): position for position, row in enumerate(np.packbits(patterns, axis=1))}
    distinct, position = np.unique(np.packbits(present, axis=1), axis=0, return_inverse=True)
    found = np.array([where.get(row.tobytes(), -1) for row in distinct], dtype=np.intp)
    return found[position.reshape(len(present))]
