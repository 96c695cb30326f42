"""Raw samples from what is in memory: data frames, Hugging Face data sets, mappings of lists; and image folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qmf.data.cells import raw_modality
from qmf.data.columns import select_columns
from qmf.data.labels import checked_labels, require_length
from qmf.data.origin import Origin, nearest_name
from qmf.data.raw import FILE_TYPES, RawModality, RawSamples, file_or_absent
from qmf.data.schema import ModalityColumns
from qmf.data.vectors import as_matrix
from qmf.errors import ConfigError, DataError

__all__ = ["IMAGE_SUFFIXES", "raw_from_memory", "read_image_folder"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def raw_from_memory(
    X: Any,
    y: ArrayLike | None,
    modalities: Mapping[str, ModalityColumns],
    *,
    folder: Path | None = None,
    source: str = "X",
) -> RawSamples:
    """Make raw samples of what is in memory.

    Parameters
    ----------
    X : data frame, Hugging Face data set, or mapping
        A frame of any library that narwhals knows; a `datasets.Dataset`, whose pictures and sounds are not decoded
        here; or a mapping of modality name to N values: paths, bytes, arrays, pictures, texts, rows of numbers; None
        where absent.
    y : array-like [N], optional
        Labels.
    modalities : mapping of str to ModalityColumns
        Name to type and, for tables, columns; none means the column of the modality's own name.
    folder : pathlib.Path, optional
        What paths are relative to; by default the working directory.
    source : str, default "X"
        What messages call the data.

    Returns
    -------
    RawSamples
        The samples.

    Raises
    ------
    DataError
        If a column or modality is missing, lengths differ, or a cell is not of its type.
    ConfigError
        If a type is unknown, or files or texts are said to stand in several columns.
    """
    origin, base = Origin(source, remedy="make it None"), folder or Path()
    if hasattr(X, "column_names") and hasattr(X, "cast_column"):
        X = _frame_of_dataset(X)
    if isinstance(X, Mapping):
        raw = {name: _of_mapping(X, name, place.type, base, origin) for name, place in modalities.items()}
    else:
        raw = _of_frame(X, modalities, base, origin)
    lengths = {name: len(modality.values) for name, modality in raw.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{source}: modalities differ in length: {lengths}; expected as many values in each.")
    labels = None if y is None else checked_labels(y, origin, "y")
    samples = RawSamples(raw, labels, origin)
    if labels is not None:
        require_length(len(samples), labels, "labels (y)", origin)
    return samples


def read_image_folder(path: Path, *, modality: str = "image") -> RawSamples:
    """Read a folder with one sub-folder of pictures per class.

    Parameters
    ----------
    path : pathlib.Path
        The folder.
    modality : str, default "image"
        Name for the pictures.

    Returns
    -------
    RawSamples
        Labels are the names of the sub-folders, ids the paths below `path`, in order of the alphabet.

    Raises
    ------
    DataError
        If there is no sub-folder with pictures.
    """
    files = sorted(file for file in path.glob("*/*") if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DataError(
            f"{path}: no pictures ({', '.join(IMAGE_SUFFIXES)}) in sub-folders; expected one sub-folder per class."
        )
    ids = np.array([file.relative_to(path).as_posix() for file in files])
    labels = np.array([file.parent.name for file in files])
    return RawSamples({modality: RawModality("image", files)}, labels, Origin(str(path), "file {}".format, ids=ids))


def _frame_of_dataset(dataset: Any) -> Any:
    """Give the table of a Hugging Face data set; encoded pictures and sounds stay bytes or paths."""
    for name, feature in dataset.features.items():
        if getattr(feature, "decode", False):
            dataset = dataset.cast_column(name, type(feature)(decode=False))
    return dataset.with_format("arrow")[:]


def _of_frame(
    X: Any, modalities: Mapping[str, ModalityColumns], folder: Path, origin: Origin
) -> dict[str, RawModality]:
    import narwhals as nw

    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError as error:
        raise DataError(
            f"{origin.source} is a {type(X).__name__}; expected a data frame, a Hugging Face data set, or a mapping of"
            " modality name to values."
        ) from error
    raw = {}
    for name, place in modalities.items():
        columns = select_columns(list(place.columns) or [name], frame.columns, name, origin.source)
        raw[name] = raw_modality(frame, columns, place.type, name, folder, origin)
    return raw


def _of_mapping(X: Mapping[str, Any], name: str, kind: str, folder: Path, origin: Origin) -> RawModality:
    if name not in X:
        raise DataError(f"{origin.source}: no modality {name!r}; {nearest_name(name, list(map(str, X)))}")
    given = X[name]
    if kind in ("vector", "numeric"):
        return RawModality(kind, as_matrix(given, name, origin).astype(np.float64))
    items = list(given)
    if kind == "categorical":
        rows = [item if isinstance(item, list | tuple | np.ndarray) else [item] for item in items]
        values = np.empty((len(rows), len(rows[0]) if rows else 0), dtype=object)
        for i, cells in enumerate(rows):
            values[i] = [None if cell is None or cell != cell or cell == "" else str(cell) for cell in cells]
        return RawModality(kind, values)
    read = _file if kind in FILE_TYPES else _text
    values_read = []
    for row, item in enumerate(items):
        try:
            values_read.append(read(item, folder))
        except DataError as error:
            raise DataError(f"{origin.place(row, name)}: {error}") from error
    if kind not in (*FILE_TYPES, "text"):
        raise ConfigError(f"{origin.source}: modality {name!r} has the unknown type {kind!r}.")
    return RawModality(kind, values_read)


def _file(item: Any, folder: Path) -> Any:
    if isinstance(item, str | Path) or item is None or isinstance(item, float):
        return file_or_absent(item, folder)
    return item


def _text(item: Any, _: Path) -> str | None:
    if item is None or (isinstance(item, float) and item != item):
        return None
    if not isinstance(item, str):
        raise DataError(f"{item!r} ({type(item).__name__}) where text belongs.")
    return item if item.strip() else None
