"""Data sets in shards: a folder, or a pattern, of Parquet files or of WebDataset tars, read one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from qmf.data.raw import RawSamples
from qmf.data.schema import DataSchema
from qmf.data.tables import read_table_parts
from qmf.data.tar_shards import read_tar_parts
from qmf.errors import DataError

__all__ = ["read_shard_parts", "shards_of"]

_ENDINGS = (".parquet", ".tar")


def shards_of(source: str | Path) -> list[Path]:
    """Give the shards that a folder holds, a pattern matches, or that a tar is by itself, sorted by name.

    Parameters
    ----------
    source : str or Path
        A folder, a pattern such as ``"data/shard-*.tar"``, or one tar.

    Returns
    -------
    list of pathlib.Path
        Empty where there are none, and `source` is something else.

    Raises
    ------
    DataError
        If there are tars and Parquet files, or two shards of one name, after which samples are called.
    """
    path = Path(source)
    if path.is_dir():
        found = [entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith(".")]
    elif path.exists():
        return [path] if path.suffix.lower() == ".tar" else []
    else:
        pattern = str(path.relative_to(path.anchor))
        found = list(Path(path.anchor).glob(pattern)) if any(sign in pattern for sign in "*?[") else []
    shards = sorted(entry for entry in found if entry.suffix.lower() in _ENDINGS)
    if len({shard.suffix.lower() for shard in shards}) > 1:
        raise DataError(f"{source} holds both tars and Parquet files; expected shards of one kind.")
    names = [shard.stem for shard in shards]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise DataError(f"{source}: two shards are called {twice!r}; samples are called after theirs: rename one.")
    return shards


def read_shard_parts(
    shards: list[Path], schema: DataSchema, rows: int, *, require_label: bool = False
) -> Iterator[RawSamples]:
    """Read shards some samples at a time: memory grows neither with their size nor with their number.

    Parameters
    ----------
    shards : list of pathlib.Path
        At least one; see `shards_of`.
    schema : DataSchema
        What stands where in them.
    rows : int
        At most so many samples in a part.
    require_label : bool, default False
        Whether to read labels; those of tars are given as they are written, as texts or as JSON has them.

    Yields
    ------
    RawSamples
        Shard by shard. Ids are those of the id column; without one, ``<shard>:<row>`` in Parquet files and
        ``<shard>:<key>`` in tars, which do not change when shards are added, left out or read in another order.

    Raises
    ------
    DataError, ConfigError
        As `read_table_parts` and `read_tar_parts`.
    """
    for shard in shards:
        if shard.suffix.lower() == ".tar":
            yield from read_tar_parts(shard, schema, rows, require_label=require_label)
        else:
            yield from _parquet_parts(shard, schema, rows, require_label)


def _parquet_parts(shard: Path, schema: DataSchema, rows: int, require_label: bool) -> Iterator[RawSamples]:
    first = 0
    for part in read_table_parts(shard, schema, rows, require_label=require_label):
        if schema.id is None:
            ids = np.array([f"{shard.stem}:{row}" for row in range(first, first + len(part))])
            part = replace(part, origin=replace(part.origin, ids=ids))
        first += len(part)
        yield part
