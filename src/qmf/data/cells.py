"""From columns of a table to one modality of any type, and what to do with bytes that are no text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.frames import frame_matrix
from qmf.data.origin import Origin
from qmf.data.raw import FILE_TYPES, TYPES, RawModality, Unreadable, file_or_absent
from qmf.errors import ConfigError, DataError

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["UNREADABLE_MARK", "decoded", "is_utf8", "raw_modality"]

UNREADABLE_MARK = "\U0010fffd(not UTF-8)\U0010fffd"
"""Stands for bytes that are not UTF-8. One private character alone may well be somebody's text; this is nobody's."""

_BLOCK = 1 << 20


def decoded(path: Path) -> Path | BytesIO:
    """Give a text file as polars can read it: itself if it is UTF-8, else with marks where it is not.

    Parameters
    ----------
    path : pathlib.Path
        A file.

    Returns
    -------
    pathlib.Path or BytesIO
        Valid UTF-8; `UNREADABLE_MARK` for each sequence of bytes that was none.
    """
    return path if is_utf8(path) else BytesIO(path.read_bytes().decode("utf-8", "qmf-mark").encode())


def is_utf8(path: Path) -> bool:
    """Say whether a file is UTF-8 throughout; memory does not grow with the file."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def raw_modality(
    frame: nw.DataFrame[Any], columns: Sequence[str], kind: str, name: str, folder: Path, origin: Origin
) -> RawModality:
    """Give one modality of a table.

    Parameters
    ----------
    frame : narwhals.DataFrame with N rows
        The table.
    columns : sequence of D str
        Its columns.
    kind : str
        One of `TYPES`.
    name : str
        Name of the modality, for messages.
    folder : pathlib.Path
        What paths in the table are relative to.
    origin : Origin
        Where the table came from.

    Returns
    -------
    RawModality
        Of N values.

    Raises
    ------
    ConfigError
        If the type is unknown, or files or texts are said to stand in more than one column.
    DataError
        If a cell holds something else than its type says.
    """
    if kind not in TYPES:
        raise ConfigError(f"{origin.source}: modality {name!r} has type {kind!r}; expected one of {', '.join(TYPES)}.")
    if kind in ("vector", "numeric"):
        values, names = frame_matrix(frame, columns, name, origin)
        return RawModality(kind, values.astype(np.float64, copy=False), tuple(names or ()))
    if kind == "categorical":
        return RawModality(kind, _categories(frame, columns), tuple(columns))
    if len(columns) != 1:
        raise ConfigError(f"{origin.source}: modality {name!r} of type {kind} names {len(columns)} columns; give one.")
    cells = frame[columns[0]].to_list()
    read = _file if kind in FILE_TYPES else _text
    return RawModality(kind, [_read(read, cell, row, name, folder, origin) for row, cell in enumerate(cells)])


def _read(read: Any, cell: Any, row: int, name: str, folder: Path, origin: Origin) -> Any:
    try:
        return read(cell, folder)
    except DataError as error:
        raise DataError(f"{origin.place(row, name)}: {error}") from error


def _file(cell: Any, folder: Path) -> Any:
    """Give a path, or the content where the table holds it (as Hugging Face data sets do)."""
    if isinstance(cell, dict) and set(cell) >= {"bytes", "path"}:
        return cell["bytes"] if cell["bytes"] is not None else file_or_absent(cell["path"], folder)
    if isinstance(cell, bytes):
        return cell or None
    if isinstance(cell, str) and UNREADABLE_MARK in cell:
        return Unreadable("the path holds bytes that are not UTF-8")
    return file_or_absent(cell, folder)


def _text(cell: Any, _: Path) -> Any:
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    if not isinstance(cell, str):
        raise DataError(f"{cell!r} ({type(cell).__name__}) where text belongs.")
    if UNREADABLE_MARK in cell:
        return Unreadable("the text holds bytes that are not UTF-8; save it as UTF-8")
    return cell if cell.strip() else None


def _categories(frame: nw.DataFrame[Any], columns: Sequence[str]) -> NDArray[Any]:
    values = np.empty((len(frame), len(columns)), dtype=object)
    for j, column in enumerate(columns):
        values[:, j] = [_category(cell) for cell in frame[column].to_list()]
    return values


def _category(cell: Any) -> str | None:
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    return text or None


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNREADABLE_MARK, error.end


codecs.register_error("qmf-mark", _mark)
