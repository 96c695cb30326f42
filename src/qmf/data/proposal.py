"""A proposal for the ``data:`` section of a configuration, from what a table holds. People read and correct it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmf.data.cells import decoded
from qmf.data.memory import IMAGE_SUFFIXES, read_image_folder
from qmf.errors import DataError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["propose"]

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_LABELS = ("label", "class", "target", "y", "category")
_IDS = ("id", "sample_id", "uid", "key", "name")
_FEW_CATEGORIES = 20
_VIEW = re.compile(r"^(.+?)_?\d+$")


def propose(path: Path) -> dict[str, Any]:
    """Propose what is what in a table, or in a folder with a sub-folder of pictures per class.

    Parameters
    ----------
    path : pathlib.Path
        A CSV, JSONL or Parquet file, or a folder.

    Returns
    -------
    dict
        A ``data:`` section: train, label, id, modalities.

    Raises
    ------
    DataError
        If it cannot be read, or nothing in it looks like a modality.
    """
    if path.is_dir():
        read_image_folder(path)
        return {"train": path.name, "modalities": {"image": {"type": "image"}}}
    frame = _frame(path)
    label = next((name for name in frame.columns if name.lower() in _LABELS), None)
    key = next((name for name in frame.columns if name.lower() in _IDS and frame[name].n_unique() == len(frame)), None)
    rest = [name for name in frame.columns if name not in (label, key)]
    modalities = _modalities(frame.select(rest))
    if not modalities:
        raise DataError(f"{path}: none of its columns {frame.columns} looks like a modality.")
    section: dict[str, Any] = {"train": path.name, "label": label or "NAME OF THE LABEL COLUMN"}
    return section | ({"id": key} if key else {}) | {"modalities": modalities}


def _frame(path: Path) -> pl.DataFrame:
    import polars as pl

    readers = {
        ".csv": lambda: pl.read_csv(decoded(path), infer_schema_length=10_000),
        ".jsonl": lambda: pl.read_ndjson(decoded(path), infer_schema_length=None),
        ".parquet": lambda: pl.read_parquet(path),
    }
    if path.suffix.lower() not in readers:
        raise DataError(f"{path}: expected a table ({', '.join(readers)}) or a folder of pictures.")
    try:
        return readers[path.suffix.lower()]()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _modalities(frame: pl.DataFrame) -> dict[str, Any]:
    import polars as pl

    found: dict[str, Any] = {}
    numbers: list[str] = []
    categories: list[str] = []
    for name in frame.columns:
        series = frame[name].drop_nulls()
        if series.dtype.is_numeric() or series.dtype == pl.Boolean:
            numbers.append(name)
        elif isinstance(series.dtype, pl.List | pl.Array):
            found[name] = {"type": "vector", "columns": name}
        elif series.dtype == pl.String and len(series):
            kind = _kind_of_text(name, series)
            if kind == "categorical":
                categories.append(name)
            else:
                found[name] = {"type": kind, "columns": name}
    found |= _views(numbers)
    if categories:
        found["categories"] = {"type": "categorical", "columns": categories}
    return found


def _kind_of_text(name: str, series: pl.Series) -> str:
    endings = [Path(cell).suffix.lower() for cell in series.head(200).to_list()]
    pictures = sum(ending in IMAGE_SUFFIXES for ending in endings)
    if 2 * pictures > len(endings):
        return "depth" if "depth" in name.lower() else "image"
    if 2 * sum(ending in AUDIO_SUFFIXES for ending in endings) > len(endings):
        return "audio"
    return "categorical" if series.n_unique() <= min(_FEW_CATEGORIES, len(series) // 2) else "text"


def _views(numbers: list[str]) -> dict[str, Any]:
    """Columns such as fou_0, fou_1, ... are one vector each; all other numbers are one table."""
    groups: dict[str, list[str]] = {}
    for name in numbers:
        match = _VIEW.match(name)
        groups.setdefault(match.group(1) if match else "", []).append(name)
    views = {prefix: names for prefix, names in groups.items() if prefix and len(names) >= 3}
    rest = [name for name in numbers if not any(name in names for names in views.values())]
    found: dict[str, Any] = {
        prefix: {"type": "vector", "columns": f"{prefix}_*" if names[0].startswith(f"{prefix}_") else names}
        for prefix, names in views.items()
    }
    return found | ({"numbers": {"type": "numeric", "columns": rest}} if rest else {})
