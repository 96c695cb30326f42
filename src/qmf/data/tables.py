"""Samples from tables: CSV, Parquet and JSONL, read by polars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qmf.data.cells import UNREADABLE_MARK, decoded, is_utf8, raw_modality
from qmf.data.columns import require_column, select_columns
from qmf.data.frame_parts import frame_parts, frame_schema
from qmf.data.labels import INTEGER, checked_ids, checked_labels, require_length
from qmf.data.origin import Origin
from qmf.data.raw import RawModality, RawSamples
from qmf.data.schema import DataSchema
from qmf.data.text_files import (
    csv_line_of_row,
    jsonl_line_of_row,
    refuse_broken_jsonl,
    refuse_jsonl_text,
    refuse_odd_csv_header,
    refuse_ragged_csv,
)
from qmf.errors import ConfigError, DataError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_table", "read_table_parts"]

_T = TypeVar("_T")


def read_table(path: Path, schema: DataSchema, *, require_label: bool) -> RawSamples:
    """Read samples from a CSV, Parquet or JSONL file.

    Parameters
    ----------
    path : pathlib.Path
        A file that is there and not empty.
    schema : DataSchema
        What stands where in it.
    require_label : bool
        If False, the label column may be absent or empty throughout.

    Returns
    -------
    RawSamples
        One per row.

    Raises
    ------
    DataError
        As `read_samples`.
    ConfigError
        If the schema asks for `transpose`, or gives the label or id column to a modality.
    """
    names, load = _reading(path, lambda: _open(path))
    columns = {name: _columns_of(name, schema, names, path) for name in schema.modalities}
    label = schema.label if require_label or schema.label in names else None
    if label is not None:
        require_column(label, names, "the label", str(path))
    if schema.id is not None:
        require_column(schema.id, names, "the sample id", str(path))
    wanted = [*(column for chosen in columns.values() for column in chosen), label, schema.id]
    frame = _reading(path, lambda: load([name for name in dict.fromkeys(wanted) if name is not None]))
    typed = partial(_labels, path=path, require_label=require_label)
    return _samples(frame, columns, label, schema, path, first=0, labels=typed)


def read_table_parts(path: Path, schema: DataSchema, rows: int, *, require_label: bool = False) -> Iterator[RawSamples]:
    """Read a CSV, Parquet or JSONL file some rows at a time: memory does not grow with the file.

    Parameters
    ----------
    path : pathlib.Path
        A file that is there and not empty.
    schema : DataSchema
        What stands where in it.
    rows : int
        At most so many samples in a part.
    require_label : bool, default False
        Whether to read labels. Those of CSV files are given as they are written, as texts: only the whole file tells
        whether all of them are integers.

    Yields
    ------
    RawSamples
        In the order of the file. That ids differ is checked within a part only.

    Raises
    ------
    DataError, ConfigError
        As `read_table`.
    """
    if not _is(path, ".parquet") and not is_utf8(path):
        raise DataError(f"{path} is not UTF-8: save it as UTF-8.")
    if _is(path, ".csv"):
        _reading(path, lambda: refuse_odd_csv_header(path))
        refuse_ragged_csv(path)
    names = _reading(path, lambda: frame_schema(path).names())
    columns = {name: _columns_of(name, schema, names, path) for name in schema.modalities}
    if schema.id is not None:
        require_column(schema.id, names, "the sample id", str(path))
    label = schema.label if require_label else None
    if label is not None:
        require_column(label, names, "the label", str(path))
    wanted = dict.fromkeys([*(column for chosen in columns.values() for column in chosen), label, schema.id])
    parts = frame_parts(path, [name for name in wanted if name is not None], rows)
    first = 0
    while (part := _reading(path, lambda: next(parts, None))) is not None:
        yield _samples(part, columns, label, schema, path, first=first, labels=_plain)
        first += len(part)


def _samples(
    frame: pl.DataFrame,
    columns: Mapping[str, list[str]],
    label: str | None,
    schema: DataSchema,
    path: Path,
    *,
    first: int,
    labels: Callable[[pl.Series], NDArray[Any] | None],
) -> RawSamples:
    """Make samples of rows of the file, the first of which is its row `first`; `labels` reads their column."""
    if not len(frame):
        raise DataError(f"{path} has no rows; expected samples.")
    origin = _origin(path, frame, schema.id, first)
    given = None if label is None else labels(frame[label])
    _refuse_undecodable(frame, [name for name in (label, schema.id) if name is not None], origin)
    modalities = _modalities(frame, columns, schema, path, origin)
    checked = None if given is None else checked_labels(given, origin, f"label {label!r}")
    if checked is not None:
        require_length(len(frame), checked, f"labels ({label})", origin)
    return RawSamples(modalities, checked, origin)


def _open(path: Path) -> tuple[list[str], Callable[[list[str]], pl.DataFrame]]:
    """Column names, and what reads some of them."""
    import polars as pl

    if _is(path, ".csv"):
        refuse_odd_csv_header(path)
        content = decoded(path)
        names = pl.read_csv(content, infer_schema=False, n_rows=0, glob=False).columns
        return names, lambda wanted: _read_csv(path, wanted, names[-1])
    if _is(path, ".parquet"):
        with path.open("rb") as file:
            names = list(pl.read_parquet_schema(file))
        return names, lambda wanted: pl.read_parquet(path, columns=wanted, glob=False, hive_partitioning=False)
    content = decoded(path)
    frame = pl.read_ndjson(content, infer_schema_length=None)
    return frame.columns, frame.select


def _read_csv(path: Path, wanted: list[str], last: str) -> pl.DataFrame:
    """Cells as they are written; those that are empty are null."""
    import polars as pl

    # Polars fills a row that ends early with nulls: its last cell is always among them.
    columns = list(dict.fromkeys([*wanted, last]))
    try:
        frame = pl.read_csv(decoded(path), infer_schema=False, columns=columns, glob=False)
    except pl.exceptions.ComputeError:
        refuse_ragged_csv(path)
        raise
    if frame[last].null_count():
        refuse_ragged_csv(path)
    return frame.select(wanted)


def _reading(path: Path, read: Callable[[], _T]) -> _T:
    """Run what reads, and name the file where it cannot be read."""
    import polars as pl

    try:
        return read()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnicodeDecodeError) as error:
        if _is(path, ".jsonl"):
            refuse_broken_jsonl(path)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{path} cannot be read as {path.suffix[1:].upper()}: {reason}. It may be damaged, incomplete or of another"
            " format; write it again."
        ) from error


def _is(path: Path, suffix: str) -> bool:
    return path.suffix.lower() == suffix


def _columns_of(name: str, schema: DataSchema, available: list[str], path: Path) -> list[str]:
    place = schema.modalities[name]
    if place.transpose:
        raise ConfigError(
            f"{path}: modality {name!r}: transpose is for arrays (NPZ, MAT); a table has samples in rows."
        )
    chosen = select_columns(place.columns, available, name, str(path))
    for special, purpose in ((schema.label, "label"), (schema.id, "id")):
        if special in chosen:
            raise ConfigError(
                f"{path}: modality {name!r} takes in the {purpose} column {special!r}; name its columns more narrowly."
            )
    return chosen


def _origin(path: Path, frame: pl.DataFrame, id_column: str | None, first: int) -> Origin:
    def locate(row: int) -> str:
        row += first
        if _is(path, ".parquet"):
            return f"row {row} (counted from 0)"
        return csv_line_of_row(path, row) if _is(path, ".csv") else jsonl_line_of_row(path, row)

    origin = Origin(str(path), locate, "leave all its cells empty")
    if id_column is None:
        return origin if not first else replace(origin, ids=np.arange(first, first + len(frame)).astype(np.str_))
    ids = checked_ids(_plain(frame[id_column]), origin, f"id {id_column!r}")
    return Origin(origin.source, locate, origin.remedy, ids)


def _modalities(
    frame: pl.DataFrame, columns: Mapping[str, list[str]], schema: DataSchema, path: Path, origin: Origin
) -> dict[str, RawModality]:
    import narwhals as nw
    import polars as pl

    types = {name: place.type for name, place in schema.modalities.items()}
    numbers = {name: chosen for name, chosen in columns.items() if types[name] in ("vector", "numeric")}
    if _is(path, ".csv"):
        parsed = [_parsed(frame[column], modality, origin) for modality, chosen in numbers.items() for column in chosen]
        frame = frame.with_columns(pl.Series(column.name, column) for column in parsed)
    elif _is(path, ".jsonl"):
        refuse_jsonl_text(path, {m: [c for c in chosen if _is_text(frame[c])] for m, chosen in numbers.items()}, origin)
    wrapped = nw.from_native(frame, eager_only=True)
    return {
        name: raw_modality(wrapped, chosen, types[name], name, path.parent, origin) for name, chosen in columns.items()
    }


def _refuse_undecodable(frame: pl.DataFrame, columns: list[str], origin: Origin) -> None:
    import polars as pl

    for column in columns:
        if frame[column].dtype == pl.String:
            rows = np.flatnonzero(frame[column].str.contains(UNREADABLE_MARK, literal=True).fill_null(False).to_numpy())
            if len(rows):
                raise DataError(
                    f"{origin.place(int(rows[0]), None)}: column {column!r} holds bytes that are not UTF-8. Save the"
                    " file as UTF-8."
                )


def _parsed(cells: pl.Series, modality: str, origin: Origin) -> pl.Series:
    """Numbers of a CSV column: empty, and "nan" in any case, are null or NaN."""
    import polars as pl

    texts = cells.fill_null("").str.strip_chars()
    numbers = texts.cast(pl.Float64, strict=False)
    wrong = np.flatnonzero((numbers.is_null() & (texts != "")).to_numpy())
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{origin.place(row, modality)}: column {cells.name!r} holds the text {cells[row]!r} where a number"
            " belongs. Write a number, such as 1.5; or leave the cell empty, if all cells of the modality are."
        )
    return numbers


def _is_text(series: pl.Series) -> bool:
    import polars as pl

    inner = series.dtype
    while isinstance(inner, pl.List):
        inner = inner.inner  # type: ignore[assignment]
    return inner == pl.String


def _labels(series: pl.Series, *, path: Path, require_label: bool) -> NDArray[Any] | None:
    import polars as pl

    texts = series.fill_null("").str.strip_chars() if _is(path, ".csv") else None
    empty = series.is_null() if texts is None else texts == ""
    if not require_label and empty.all():
        return None
    if texts is not None and texts.filter(~empty).str.contains(INTEGER).all():
        series = texts.cast(pl.Int64, strict=False)
    return _plain(series)


def _plain(series: pl.Series) -> NDArray[Any]:
    import polars as pl

    return (series.cast(pl.String) if isinstance(series.dtype, pl.Categorical | pl.Enum) else series).to_numpy()
