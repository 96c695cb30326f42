"""NYU Depth V2: scenes from colour and depth."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from qmf.data import RawModality, RawSamples
from qmf.data.origin import Origin
from qmf.data.raw import file_or_absent
from qmf.datasets.counts import require_split, with_checked_count
from qmf.datasets.side_by_side import load_side_by_side
from qmf.errors import DataError

__all__ = ["load_nyud2"]

_COLUMNS = ("id", "split", "class10")
_NAMES = {"train": "train", "val": "validation", "test": "test"}


def load_nyud2(root: str | Path, split: str, seed: int = 0) -> RawSamples:
    """Load one split of NYU Depth V2, ten scene classes.

    Parameters
    ----------
    root : str or Path
        Holds either ``labels.csv`` (``id``, ``split``, ``class10``), ``rgb/ID.jpg`` and ``depth/ID.png``; or what the
        official code uses: ``train/<class>/*.png`` and ``test/<class>/*.png``, RGB and HHA side by side.
    split : {"train", "validation", "train+validation", "test"}
        Train and validation are the official 795 training frames, test the 654; a warning holds the numbers where
        they differ. With ``labels.csv``, validation holds whole scenes; else a keyed 30 % of each class.
    seed : int
        Key of that choice.

    Returns
    -------
    RawSamples
        Modalities rgb (image) and depth.

    Raises
    ------
    DataError
        If neither layout is found, or a line of ``labels.csv`` is not as described.
    ConfigError
        If there is no such split.

    References
    ----------
    Silberman et al., Indoor Segmentation and Support Inference from RGBD Images, ECCV 2012.
    """
    split, folder = require_split(split, joined=True), Path(root)
    labels = folder / "labels.csv"
    samples = _listed(folder, labels, split) if labels.exists() else load_side_by_side(folder, split, seed)
    return with_checked_count("nyud2", split, samples)


def _listed(folder: Path, labels: Path, split: str) -> RawSamples:
    chosen = [row for row in _rows(labels) if _NAMES[row[2]] in split.split("+")]
    if not chosen:
        raise DataError(f"{labels}: no row of the split {split!r}.")
    lines, ids = [line for line, *_ in chosen], [key for _, key, *_ in chosen]
    modalities = {
        "rgb": RawModality("image", [file_or_absent(f"rgb/{key}.jpg", folder) for key in ids]),
        "depth": RawModality("depth", [file_or_absent(f"depth/{key}.png", folder) for key in ids]),
    }
    origin = Origin(str(labels), lambda row: f"line {lines[row]}", ids=np.array(ids))
    return RawSamples(modalities, np.array([label for *_, label in chosen]), origin)


def _rows(labels: Path) -> list[tuple[int, str, str, str]]:
    """Give line, id, split and class of each row."""
    rows: list[tuple[int, str, str, str]] = []
    seen: dict[str, int] = {}
    for line, cells in _cells(labels):
        key, part, label = (str(cells[name]).strip() for name in _COLUMNS)
        if part not in _NAMES:
            raise DataError(f"{labels}, line {line}: split {part!r}; expected {', '.join(_NAMES)}.")
        if not key or not label:
            raise DataError(f"{labels}, line {line}: {'class10' if key else 'id'} is empty; every frame needs one.")
        if key in seen:
            raise DataError(f"{labels}, line {line}: id {key!r} stands in line {seen[key]} too; expected it once.")
        seen[key] = line
        rows.append((line, key, part, label))
    return rows


def _cells(labels: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with labels.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{labels}: no column {missing[0]!r}; expected {', '.join(_COLUMNS)}.")
            for cells in reader:
                if None in cells or None in cells.values():
                    raise DataError(f"{labels}, line {reader.line_num}: more or fewer cells than the header has names.")
                yield reader.line_num, cells
        except UnicodeDecodeError as error:
            raise DataError(f"{labels}: not UTF-8: {error}; save it as UTF-8.") from error
        except csv.Error as error:
            raise DataError(f"{labels}, line {reader.line_num}: not valid CSV: {error}.") from error
