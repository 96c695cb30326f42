"""RGB-D data sets as the official code keeps them: one folder per class, RGB and HHA side by side in one PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qmf.data import RawModality, RawSamples, holdout_split
from qmf.data.cropped import CroppedFile
from qmf.data.origin import Origin
from qmf.datasets.counts import JOINED
from qmf.errors import DataError

__all__ = ["load_side_by_side"]

_LEFT, _RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
_HELD_OUT = 0.3


def load_side_by_side(root: Path, split: str, seed: int) -> RawSamples:
    """Load one split.

    Parameters
    ----------
    root : pathlib.Path
        Holds ``train/<class>/*.png`` and ``test/<class>/*.png``.
    split : {"train", "validation", "train+validation", "test"}
        The layout says nothing of scenes: validation is a keyed 30 % of each class of ``train``.
    seed : int
        Key of that choice.

    Returns
    -------
    RawSamples
        rgb (the left half) and depth (the right half); ids are paths below `root`.

    Raises
    ------
    DataError
        If there are no such files.
    """
    part = "test" if split == "test" else "train"
    files = sorted((root / part).glob("*/*.png"))
    if not files:
        raise DataError(
            f"{root / part}: no PNG in sub-folders; expected one sub-folder per class, RGB|HHA side by side."
        )
    labels = np.array([file.parent.name for file in files])
    ids = np.array([file.relative_to(root).as_posix() for file in files])
    modalities = {
        "rgb": RawModality("image", [CroppedFile(file, _LEFT) for file in files]),
        "depth": RawModality("depth", [CroppedFile(file, _RIGHT) for file in files]),
    }
    samples = RawSamples(modalities, labels, Origin(str(root / part), "file {}".format, ids=ids))
    if split in ("test", JOINED):
        return samples
    kept, held = holdout_split(np.unique(labels, return_inverse=True)[1].astype(np.int64), _HELD_OUT, seed)
    return samples.take(kept if split == "train" else held)
