"""Data sets kept as the code of MMBT and QMF prepares them: one JSONL file per split, photos beside it."""

from __future__ import annotations

from pathlib import Path

from qmf.data import DataSchema, ModalityColumns, RawSamples, read_raw
from qmf.errors import DataError

__all__ = ["load_jsonl_split"]

_FILES = {"train": ("train",), "validation": ("dev", "validation", "val"), "test": ("test",)}


def load_jsonl_split(root: Path, split: str) -> RawSamples:
    """Load one split.

    Parameters
    ----------
    root : pathlib.Path
        Holds ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` with ``id``, ``label``, ``text`` and ``img``.
    split : {"train", "validation", "test"}
        Which.

    Returns
    -------
    RawSamples
        Modalities image and text. An empty text, and a photo that is not there, are absent.

    Raises
    ------
    DataError
        If the file is missing, or a line is not as described.
    """
    places = {
        "image": ModalityColumns(("img",), type="image"),
        "text": ModalityColumns(("text",), type="text"),
    }
    for name in _FILES[split]:
        if (root / f"{name}.jsonl").exists():
            return read_raw(root / f"{name}.jsonl", DataSchema(places, "label", "id"), require_label=True)
    raise DataError(f"{root}: no {_FILES[split][0]}.jsonl; expected one JSON object per line: id, label, text, img.")
