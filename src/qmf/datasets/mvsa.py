"""MVSA-Single: the sentiment of tweets with a photo."""

from __future__ import annotations

from pathlib import Path

from qmf.data import DataSchema, ModalityColumns, RawSamples, read_raw
from qmf.datasets.counts import require_split, with_checked_count
from qmf.errors import DataError

__all__ = ["jsonl_split", "load_mvsa"]

_FILES = {"train": ("train",), "validation": ("dev", "validation", "val"), "test": ("test",)}


def load_mvsa(root: str | Path, split: str, seed: int = 0) -> RawSamples:
    """Load one split of MVSA-Single.

    Parameters
    ----------
    root : str or Path
        Holds ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` with ``id``, ``label`` (positive, neutral, negative),
        ``text`` and ``img`` (a path below `root`), as the code of MMBT and QMF keeps it.
    split : {"train", "validation", "test"}
        1555, 518 and 519 tweets; a warning holds the numbers where they differ.
    seed : int
        Not used: the splits are official.

    Returns
    -------
    RawSamples
        Modalities image and text.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    ConfigError
        If there is no such split.

    References
    ----------
    Niu et al., Sentiment Analysis on Multi-View Social Data, MMM 2016.
    """
    split = require_split(split)
    return with_checked_count("mvsa", split, jsonl_split(Path(root), split))


def jsonl_split(root: Path, split: str) -> RawSamples:
    """Read ``train.jsonl``, ``dev.jsonl`` or ``test.jsonl`` with ``id``, ``label``, ``text`` and ``img``."""
    places = {
        "image": ModalityColumns(("img",), type="image"),
        "text": ModalityColumns(("text",), type="text"),
    }
    for name in _FILES[split]:
        if (root / f"{name}.jsonl").exists():
            return read_raw(root / f"{name}.jsonl", DataSchema(places, "label", "id"), require_label=True)
    raise DataError(f"{root}: no {_FILES[split][0]}.jsonl; expected one JSON object per line: id, label, text, img.")
