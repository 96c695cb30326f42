"""Samples that come in parts, as often as they are asked for: what memory need not hold at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from qmf.data.raw import RawSamples
from qmf.data.reading import table_file
from qmf.data.schema import DataSchema
from qmf.data.shards import read_shard_parts, shards_of
from qmf.data.tables import read_table_parts
from qmf.errors import ConfigError

__all__ = ["SampleParts", "read_in_parts"]


@dataclass(frozen=True)
class SampleParts:
    """Labelled samples in parts.

    Attributes
    ----------
    read : callable
        Goes through all parts, in the same order each time it is called.
    source : str
        What messages call the samples.
    key : str
        Differs where the samples do: names, sizes and times of change of their files, and what stands where in them.
    written : bool
        True if labels are texts as they are written, of which only all together tell whether they are integers.
    named : bool
        True if ids are given by the source, so that one may come twice.
    """

    read: Callable[[], Iterator[RawSamples]]
    source: str
    key: str
    written: bool
    named: bool


def read_in_parts(source: str | Path, schema: DataSchema, rows: int = 10_000) -> SampleParts:
    """Read labelled samples some rows at a time, to train on more than memory holds.

    Parameters
    ----------
    source : str or Path
        A CSV, JSONL or Parquet file; or shards: a folder or pattern of Parquet files or WebDataset tars, or one tar.
    schema : DataSchema
        What stands where in it; the label is needed.
    rows : int, default 10000
        At most so many samples in a part.

    Returns
    -------
    SampleParts
        Nothing is read yet. Ids are those of `qmf.data.read_parts`. Labels of CSV files and of tars
        that are texts become integers if all of them are written as such.

    Raises
    ------
    DataError
        If there is no such file or it is of another kind.
    ConfigError
        If the schema names no label column or no modality.
    """
    if schema.label is None:
        raise ConfigError(f"{source}: labels are needed, but the schema names no label column.")
    shards = shards_of(source)
    files = shards or [table_file(source, schema)]

    def read() -> Iterator[RawSamples]:
        if shards:
            return read_shard_parts(shards, schema, rows, require_label=True)
        return read_table_parts(files[0], schema, rows, require_label=True)

    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    written = files[0].suffix.lower() in (".csv", ".tar")
    return SampleParts(read, str(source), repr((stats, schema.to_document())), written, schema.id is not None)
