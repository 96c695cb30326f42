"""Data sets: one that comes with the package, and loaders for what people download.

A loader takes the folder and the split, ``load_mvsa(folder, "train")``, and gives `RawSamples` for `QMFClassifier`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qmf.data import RawSamples
from qmf.datasets.counts import CountTable, check_counts, dataset_counts
from qmf.datasets.food101 import load_food101
from qmf.datasets.handwritten import HANDWRITTEN_CITATION, load_handwritten
from qmf.datasets.mvsa import load_mvsa
from qmf.datasets.nyud2 import load_nyud2
from qmf.datasets.sunrgbd import load_sunrgbd
from qmf.errors import ConfigError

__all__ = [
    "DATASETS",
    "HANDWRITTEN_CITATION",
    "CountTable",
    "check_counts",
    "dataset_counts",
    "load_food101",
    "load_handwritten",
    "load_mvsa",
    "load_named",
    "load_nyud2",
    "load_sunrgbd",
]

DATASETS: dict[str, Callable[[str | Path, str], RawSamples]] = {
    "mvsa": load_mvsa,
    "nyud2": load_nyud2,
    "food101": load_food101,
    "sunrgbd": load_sunrgbd,
}
"""Name to loader, for ``NAME:FOLDER:SPLIT`` on the command line."""


def load_named(source: str) -> RawSamples:
    """Load ``NAME:FOLDER:SPLIT``.

    Parameters
    ----------
    source : str
        A key of `DATASETS`, where its files are, and which split.

    Returns
    -------
    RawSamples
        As its loader gives them.

    Raises
    ------
    ConfigError
        If there is no such data set.
    """
    name, folder, split = source.split(":")
    if name not in DATASETS:
        raise ConfigError(f"{source}: no data set {name!r}; known: {', '.join(DATASETS)}.")
    return DATASETS[name](folder, split)
