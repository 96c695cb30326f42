"""DATA on the command line: a file, or the name of a built-in data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from qmf.errors import ConfigError, DataError

if TYPE_CHECKING:
    from qmf.data import DataSchema, RawSamples, SampleParts, Samples

__all__ = ["BUILT_IN", "is_built_in", "read_source", "read_training"]

BUILT_IN = ("handwritten",)
_PARTS: dict[str, Literal["train", "test"] | None] = {"train": "train", "test": "test", "all": None}


def is_built_in(source: str) -> bool:
    """Say whether `source` names a built-in data set, with or without ``:train``, ``:test`` or ``:all``."""
    return source.partition(":")[0] in BUILT_IN and not Path(source).exists()


def read_source(
    source: str,
    schema: DataSchema | None,
    *,
    part: Literal["train", "test"],
    seed: int,
    require_label: bool,
) -> Samples | RawSamples:
    """Read DATA.

    Parameters
    ----------
    source : str
        A file or folder; or a built-in name, where ``name:train``, ``name:test`` or ``name:all`` says which part of
        it; or ``NAME:FOLDER:SPLIT`` for a known data set, see `qmf.datasets.DATASETS`.
    schema : DataSchema or None
        Which columns of a file are which modality.
    part : {"train", "test"}
        Part of a built-in data set where `source` does not say.
    seed : int
        Key of the split of a built-in data set.
    require_label : bool
        If False, a file without labels is fine.

    Returns
    -------
    Samples or RawSamples
        The samples; raw where the schema has other types than vectors, and for known data sets.

    Raises
    ------
    ConfigError
        If the part of a built-in data set is unknown, or no modalities are declared for a file.
    DataError
        If the file does not exist or is not as declared.
    """
    if is_built_in(source):
        from qmf.datasets import load_handwritten

        name, _, said = source.partition(":")
        if said and said not in _PARTS:
            raise ConfigError(f"{source}: expected {name}, {name}:train, {name}:test or {name}:all.")
        return load_handwritten(_PARTS[said or part], seed=seed)
    if source.count(":") == 2 and not Path(source).exists():
        from qmf.datasets import load_named

        return load_named(source)
    from qmf.data import read_raw, read_samples, shards_of

    if not (Path(source).exists() or shards_of(source)):
        raise DataError(f"{source} does not exist: expected a file, or a built-in data set ({', '.join(BUILT_IN)}).")
    schema = _declared(schema, source)
    read = read_samples if all(place.type == "vector" for place in schema.modalities.values()) else read_raw
    return read(source, schema, require_label=require_label)


def read_training(
    source: str,
    schema: DataSchema | None,
    *,
    part: Literal["train", "test"],
    seed: int,
    streaming: bool,
) -> Samples | RawSamples | SampleParts:
    """Read labelled DATA to train on or to validate: shards, and with `streaming` tables, in parts.

    Parameters
    ----------
    source, schema, part, seed
        As in `read_source`.
    streaming : bool
        Whether a table is read in parts as well.

    Returns
    -------
    Samples, RawSamples or SampleParts
        The samples.

    Raises
    ------
    ConfigError, DataError
        As `read_source`; or if what is to be read in parts is neither a table nor shards.
    """
    from qmf.data import read_in_parts, shards_of

    if streaming or shards_of(source):
        return read_in_parts(source, _declared(schema, source))
    return read_source(source, schema, part=part, seed=seed, require_label=True)


def _declared(schema: DataSchema | None, source: str) -> DataSchema:
    """Give the schema, which a file needs."""
    if schema is None:
        raise ConfigError(
            f"{source}: which columns are which modality? `qmf init {source}` writes a proposal; or say it in a"
            " configuration (data.modalities), or with --set 'data.modalities={NAME: {columns: [COLUMN, ...]}}' --set"
            " data.label=COLUMN."
        )
    return schema
