"""SUN RGB-D: scenes from colour and depth."""

from __future__ import annotations

from pathlib import Path

from qmf.data import RawSamples
from qmf.datasets.counts import require_split, with_checked_count
from qmf.datasets.side_by_side import load_side_by_side

__all__ = ["load_sunrgbd"]


def load_sunrgbd(root: str | Path, split: str, seed: int = 0) -> RawSamples:
    """Load one split of SUN RGB-D as the official code keeps it: 19 classes, RGB and HHA side by side.

    Parameters
    ----------
    root : str or Path
        Holds ``train/<class>/*.png`` and ``test/<class>/*.png``.
    split : {"train", "validation", "train+validation", "test"}
        4,845 samples of train, of which a keyed 30 % of each class is validation, and 4,659; a warning holds the
        numbers where they differ.
    seed : int
        Key of that choice.

    Returns
    -------
    RawSamples
        Modalities rgb (image) and depth (HHA).

    Raises
    ------
    DataError
        If there are no such files.
    ConfigError
        If there is no such split.

    References
    ----------
    Song et al., SUN RGB-D: A RGB-D Scene Understanding Benchmark Suite, CVPR 2015.
    """
    split = require_split(split, joined=True)
    return with_checked_count("sunrgbd", split, load_side_by_side(Path(root), split, seed))
