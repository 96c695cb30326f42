"""WebDataset tars: files that follow one another and share a key, ``key.jpg``, ``key.txt``, are one sample."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.cells import raw_modality
from qmf.data.labels import checked_ids, checked_labels
from qmf.data.origin import Origin, first_few
from qmf.data.raw import FILE_TYPES, RawSamples
from qmf.data.schema import DataSchema
from qmf.errors import DataError

__all__ = ["read_tar_parts"]

_REMEDY = "leave its file out"


def read_tar_parts(path: Path, schema: DataSchema, rows: int, *, require_label: bool = False) -> Iterator[RawSamples]:
    """Read a WebDataset tar some samples at a time.

    A modality's column is the ending of a file (``jpg`` in ``0017.jpg``), or a key of the object in ``0017.json``.

    Parameters
    ----------
    path : pathlib.Path
        A tar, plain or compressed.
    schema : DataSchema
        Which ending or key is which modality, and which the label: ``cls``, if it stands in ``0017.cls``.
    rows : int
        At most so many samples in a part.
    require_label : bool, default False
        Whether to read labels; what a file holds is given as it is written, as text.

    Yields
    ------
    RawSamples
        In the order of the tar; an absent file is an absent modality. Pictures and sounds are bytes, opened later.

    Raises
    ------
    DataError
        If the tar is damaged or holds no samples, a key comes again, or no sample of a part has any of the columns.
    ConfigError
        As `raw_modality`.
    """
    columns = {name: [*place.columns] for name, place in schema.modalities.items()}
    label = schema.label if require_label else None
    wanted = {*(column for chosen in columns.values() for column in chosen), schema.id, label}
    samples, first = _samples(path, {column for column in wanted if column is not None}), 0
    while part := list(islice(samples, rows)):
        yield _part(path, part, columns, replace(schema, label=label), first)
        first += len(part)
    if not first:
        raise DataError(f"{path} holds no samples; expected files such as 000017.jpg and 000017.txt.")


def _part(
    path: Path, samples: list[tuple[str, dict[str, Any]]], columns: dict[str, list[str]], schema: DataSchema, first: int
) -> RawSamples:
    import narwhals as nw
    import polars as pl

    origin = Origin(str(path), lambda row: f"sample {first + row} (counted from 0)", _REMEDY)
    keys = [key for key, _ in samples]
    given: list[Any] = [f"{path.stem}:{key}" for key in keys]
    if schema.id is not None:
        given = [cells.get(schema.id) for _, cells in samples]
    origin = Origin(origin.source, origin.locate, _REMEDY, checked_ids(given, origin, "id"))
    modalities = {}
    for name, chosen in columns.items():
        kind = schema.modalities[name].type
        series = {}
        for column in chosen:
            try:
                series[column] = _series(column, [cells.get(column) for _, cells in samples], kind)
            except TypeError as error:  # numbers and texts, say, or lists and numbers
                reason = (str(error).strip() or "they are of several types").splitlines()[0]
                raise DataError(f"{path}: values of {column!r} cannot stand in one column: {reason}.") from error
        frame = nw.from_native(pl.DataFrame(series), eager_only=True)
        modalities[name] = raw_modality(frame, chosen, kind, name, path.parent, origin)
    if not np.any([modality.present for modality in modalities.values()]):
        wanted = [column for chosen in columns.values() for column in chosen]
        raise DataError(
            f"{path}: no sample has a file or key called {first_few(map(repr, wanted), len(wanted))}, which the model"
            f" takes. Files are called KEY.{wanted[0]}, or KEY.json holds {wanted[0]!r}."
        )
    if schema.label is None:
        return RawSamples(modalities, None, origin)
    labels = [_label(cells.get(schema.label), path, key) for key, cells in samples]
    return RawSamples(modalities, checked_labels(_objects(labels), origin, f"label {schema.label!r}"), origin)


def _label(cell: Any, path: Path, key: str) -> Any:
    """Give the text of a file; what JSON holds as it is."""
    try:
        return cell.decode("utf-8").strip() if isinstance(cell, bytes) else cell
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, sample {key!r}: its label is no UTF-8: {error}.") from error


def _objects(cells: list[Any]) -> NDArray[Any]:
    """Give an array of what is there, whatever its types: NumPy would make texts of a mixture."""
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return values


def _series(column: str, cells: list[Any], kind: str) -> Any:
    import polars as pl

    if kind == "text":
        cells = [cell.decode("utf-8", "qmf-mark") if isinstance(cell, bytes) else cell for cell in cells]
        return pl.Series(column, cells, dtype=pl.String)
    if kind in FILE_TYPES:
        return pl.Series(column, cells, dtype=pl.Binary)
    if kind in ("vector", "numeric"):
        cells = [_floats(cell) for cell in cells]
    return pl.Series(column, cells)


def _floats(cell: Any) -> Any:
    """Give numbers of JSON, where 1 and 1.0 may stand side by side, as floats; anything else as it is."""
    if isinstance(cell, list):
        return [_floats(item) for item in cell]
    return float(cell) if isinstance(cell, int) and not isinstance(cell, bool) else cell


def _samples(path: Path, wanted: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    seen: set[str] = set()
    try:
        with tarfile.open(path, "r|*") as tar:
            files = (member for member in tar if member.isfile() and not Path(member.name).name.startswith("."))
            for key, members in groupby(files, lambda member: _split(member.name)[0]):
                if key in seen:
                    raise DataError(f"{path}: files of the sample {key!r} do not follow one another; sort the tar.")
                seen.add(key)
                yield key, _cells(tar, members, wanted, path)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read as a tar: {error}. It may be damaged; write it again.") from error


def _cells(tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo], wanted: set[str], path: Path) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for member in members:
        ending = _split(member.name)[1]
        if ending not in wanted and ending != "json":
            continue
        file = tar.extractfile(member)
        content = b"" if file is None else file.read()
        if ending in wanted:
            cells[ending] = content
        else:
            cells |= {key: value for key, value in _object(content, member.name, path).items() if key in wanted}
    return cells


def _object(content: bytes, name: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise DataError(f"{path}, {name}: not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}, {name}: expected a JSON object; got a {type(value).__name__}.")
    return value


def _split(name: str) -> tuple[str, str]:
    """Give key and ending: the file's name up to its first point, with its folder, and what follows, in lower case."""
    folder, slash, file = name.rpartition("/")
    key, _, ending = file.partition(".")
    return folder + slash + key, ending.lower()
