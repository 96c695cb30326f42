"""Samples from a file, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from qmf.data.arrays import read_arrays
from qmf.data.joining import joined
from qmf.data.memory import read_image_folder
from qmf.data.origin import nearest_name
from qmf.data.raw import RawSamples
from qmf.data.samples import Samples, assemble
from qmf.data.schema import DataSchema
from qmf.data.shards import read_shard_parts, shards_of
from qmf.data.tables import read_table, read_table_parts
from qmf.errors import ConfigError, DataError

__all__ = ["read_parts", "read_raw", "read_samples", "samples_of_vectors", "table_file"]

_READERS = {
    ".csv": read_table,
    ".jsonl": read_table,
    ".parquet": read_table,
    ".mat": read_arrays,
    ".npz": read_arrays,
}

_ROWS = 10_000  # of shards at a time
_TABLES = (".csv", ".jsonl", ".parquet")


def read_samples(source: str | Path, schema: DataSchema, *, require_label: bool) -> Samples:
    """Read samples from a CSV, JSONL, Parquet, NPZ or MAT file.

    All cells of a modality empty in a row (null; in CSV also "nan") declare it absent for that sample; some of them
    empty is an error. Labels keep their type. In CSV, where everything is text, labels are integers if all of them
    are written as such (``7``, ``-1``; not ``07``, not ``7.0``), else strings. Floats that are whole numbers become
    integers.

    Parameters
    ----------
    source : str or Path
        The file. Its ending says its format.
    schema : DataSchema
        What stands where in it.
    require_label : bool
        If False, a file without labels is fine: its label column may be absent or empty throughout.

    Returns
    -------
    Samples
        Of the N rows of the file, in its order; `source` is the path as given.

    Raises
    ------
    DataError
        If the file is missing, empty, damaged or of an unknown ending; or its content is not as `schema` says; or as
        `from_arrays`. The message names file, row, id, modality and column, as far as they are known.
    ConfigError
        If the schema declares no modality, or something that this format does not have.

    Notes
    -----
    No code in a file is ever run: pickled objects are refused.
    """
    return samples_of_vectors(read_raw(source, schema, require_label=require_label))


def samples_of_vectors(raw: RawSamples) -> Samples:
    """Give raw samples that are vectors throughout as samples.

    Parameters
    ----------
    raw : RawSamples
        All modalities of type vector.

    Returns
    -------
    Samples
        The same.

    Raises
    ------
    ConfigError
        If a modality is of another type: it needs an encoder.
    DataError
        As `from_arrays`.
    """
    for name, modality in raw.modalities.items():
        if modality.type != "vector":
            raise ConfigError(f"{raw.source}: modality {name!r} is of type {modality.type}; expected vectors here.")
    matrices = {name: (modality.values, modality.columns or None) for name, modality in raw.modalities.items()}
    return assemble(matrices, raw.labels, raw.origin, label_name="label")


def read_raw(source: str | Path, schema: DataSchema, *, require_label: bool) -> RawSamples:
    """Read samples of any type from a CSV, JSONL, Parquet, NPZ or MAT file; no picture or sound is opened yet.

    Parameters
    ----------
    source : str or Path
        The file. Its ending says its format. Paths in it are relative to its folder. Or shards, see `shards_of`.
    schema : DataSchema
        What stands where in it, and of which type.
    require_label : bool
        If False, a file without labels is fine: its label column may be absent or empty throughout.

    Returns
    -------
    RawSamples
        Of the N rows of the file, in its order. A cell that is empty, NaN, white space, or names a file that does not
        exist, declares the modality absent.

    Raises
    ------
    DataError, ConfigError
        As `read_samples`.
    """
    if require_label and schema.label is None:
        raise ConfigError(f"{source}: labels are needed, but the schema names no label column.")
    if shards := shards_of(source):
        parts = list(read_shard_parts(shards, schema, _ROWS, require_label=require_label))
        return joined(parts, str(source), written=shards[0].suffix.lower() == ".tar")
    path = _file(source, schema)
    if path.is_dir():
        return read_image_folder(path, modality=next(iter(schema.modalities)))
    return _READERS[path.suffix.lower()](path, schema, require_label=require_label)


def read_parts(source: str | Path, schema: DataSchema, rows: int) -> Iterator[RawSamples]:
    """Read samples some rows at a time, to predict them: of a table, memory does not grow with the file.

    Parameters
    ----------
    source : str or Path
        As `read_raw`; or shards, see `shards_of`. Folders of pictures and files of arrays are given in one part.
    schema : DataSchema
        What stands where in it. Labels are not read.
    rows : int
        At most so many samples of a table in a part.

    Yields
    ------
    RawSamples
        In the order of the file.

    Raises
    ------
    DataError, ConfigError
        As `read_samples`; also after some parts have been given.
    """
    if shards := shards_of(source):
        yield from read_shard_parts(shards, schema, rows)
        return
    path = _file(source, schema)
    if path.suffix.lower() in _TABLES:
        yield from read_table_parts(path, schema, rows)
    else:
        yield read_raw(source, replace(schema, label=None), require_label=False)


def table_file(source: str | Path, schema: DataSchema) -> Path:
    """Give the path of a table that can be read some rows at a time.

    Raises
    ------
    DataError
        If nothing stands there, or something else.
    """
    path = _file(source, schema)
    if path.suffix.lower() not in _TABLES:
        raise DataError(f"{path} cannot be read in parts: expected {', '.join(_TABLES)}, or shards of Parquet or tar.")
    return path


def _file(source: str | Path, schema: DataSchema) -> Path:
    """Give the path, after checking that something of a known format stands there."""
    path = Path(source)
    if path.is_dir():
        if [place.type for place in schema.modalities.values()] == ["image"]:
            return path
        raise DataError(
            f"{path} is a folder; expected a file ({', '.join(_READERS)}), or one modality of type image for a folder"
            " with a sub-folder of pictures per class."
        )
    if not path.exists():
        raise DataError(f"{path} does not exist; expected a file ({', '.join(_READERS)}).")
    if path.suffix.lower() not in _READERS:
        raise DataError(
            f"{path}: unknown ending {path.suffix!r}; known are {', '.join(_READERS)};"
            f" {nearest_name(path.suffix.lower(), list(_READERS))}"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); expected samples.")
    if not schema.modalities:
        raise ConfigError(f"{path}: the schema declares no modality; expected at least one.")
    return path
