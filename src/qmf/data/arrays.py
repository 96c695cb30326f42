"""Samples from files of named arrays: NPZ, and MAT up to version 7."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.labels import checked_ids, checked_labels
from qmf.data.origin import Origin, nearest_name
from qmf.data.raw import RawModality, RawSamples
from qmf.data.schema import DataSchema
from qmf.data.vectors import as_matrix
from qmf.errors import ConfigError, DataError

__all__ = ["read_arrays"]

_DAMAGED = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error)


def read_arrays(path: Path, schema: DataSchema, *, require_label: bool) -> RawSamples:
    """Read samples from an NPZ or MAT file.

    Parameters
    ----------
    path : pathlib.Path
        A file that is there and not empty.
    schema : DataSchema
        What stands where in it: one key per modality, and keys of label and id.
    require_label : bool
        If False, the label may be absent.

    Returns
    -------
    RawSamples
        One per row of the arrays; per column of those that are to be transposed. All of type vector or numeric.

    Raises
    ------
    DataError
        As `read_samples`.
    ConfigError
        If a modality names more or less than one key, or is neither vector nor numeric.
    """
    for name, place in schema.modalities.items():
        if len(place.columns) != 1:
            raise ConfigError(
                f"{path}: modality {name!r} names {len(place.columns)} columns; in {path.suffix} files it is exactly"
                " one key of an array."
            )
        if place.type not in ("vector", "numeric"):
            raise ConfigError(
                f"{path}: modality {name!r} is of type {place.type}; {path.suffix} files hold vectors and numeric only."
            )
    if path.suffix.lower() == ".mat":
        return _samples(_mat_content(path), path, schema, require_label=require_label)
    if not zipfile.is_zipfile(path):
        raise _damaged(path, ValueError("it is not a whole ZIP archive, as numpy.savez writes one"))
    with np.load(path, allow_pickle=False) as arrays:
        return _samples(arrays, path, schema, require_label=require_label)


def _samples(arrays: Mapping[str, Any], path: Path, schema: DataSchema, *, require_label: bool) -> RawSamples:
    origin = Origin(str(path), "row {} (counted from 0)".format)
    if schema.id is not None:
        ids = checked_ids(_vector(arrays, schema.id, "the sample id", origin), origin, f"id {schema.id!r}")
        origin = Origin(origin.source, origin.locate, origin.remedy, ids)
    label = schema.label if require_label or schema.label in arrays else None
    labels = None if label is None else _vector(arrays, label, "the label", origin)
    matrices = {name: _matrix(arrays, schema, name, origin) for name in schema.modalities}
    _require_equal_lengths(matrices, schema, label, labels, origin)
    modalities = {name: RawModality(schema.modalities[name].type, x.astype(np.float64)) for name, x in matrices.items()}
    checked = None if labels is None else checked_labels(labels, origin, f"label {label!r}")
    return RawSamples(modalities, checked, origin)


def _mat_content(path: Path) -> dict[str, Any]:
    """Arrays of the file by key, items of cell arrays among them as ``X[0]``."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path)
    except NotImplementedError as error:
        raise DataError(
            f"{path} is a MAT file of version 7.3 (HDF5), which is not readable here. Save it in MATLAB with -v7:"
            " save('file.mat', 'X', 'Y', '-v7')."
        ) from error
    except (MatReadError, *_DAMAGED) as error:
        raise _damaged(path, error) from error
    arrays = {key: value for key, value in content.items() if not key.startswith("__")}
    for key, value in list(arrays.items()):
        if isinstance(value, np.ndarray) and value.dtype == object:
            arrays |= {f"{key}[{i}]": item for i, item in enumerate(value.ravel())}
    return arrays


def _damaged(path: Path, error: Exception) -> DataError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DataError(
        f"{path} cannot be read as {path.suffix[1:].upper()}: {reason}. It may be damaged, incomplete or of another"
        " format; write it again."
    )


def _array(arrays: Mapping[str, Any], key: str, purpose: str, origin: Origin) -> NDArray[Any]:
    if key not in arrays:
        keys = [name for name in arrays if not re.fullmatch(r".*\[\d+\]", name)]
        raise DataError(
            f"{origin.source}: no array {key!r} for {purpose}; the file holds {', '.join(map(repr, keys)) or 'none'};"
            f" {nearest_name(key, list(arrays))}"
        )
    try:
        value = arrays[key]
    except _DAMAGED as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{origin.source}: the array {key!r} holds pickled objects, which could run code and are never read."
                " Save it as plain numbers or strings."
            ) from error
        raise _damaged(Path(origin.source), error) from error
    return np.asarray(value.toarray() if hasattr(value, "toarray") else value)  # MATLAB's sparse matrices


def _matrix(arrays: Mapping[str, Any], schema: DataSchema, name: str, origin: Origin) -> NDArray[Any]:
    place = schema.modalities[name]
    value = _array(arrays, place.columns[0], f"modality {name!r}", origin)
    if value.dtype == object and f"{place.columns[0]}[0]" in arrays:
        raise DataError(
            f"{origin.source}: modality {name!r}: {place.columns[0]!r} is a cell array of {value.size} items; name"
            f" one of them, '{place.columns[0]}[0]' to '{place.columns[0]}[{value.size - 1}]'."
        )
    matrix = as_matrix(value, name, origin)
    return matrix.T if place.transpose else matrix


def _vector(arrays: Mapping[str, Any], key: str, purpose: str, origin: Origin) -> NDArray[Any]:
    """Give one value per sample; MATLAB holds vectors as N x 1 or 1 x N, and strings in cells."""
    value = _array(arrays, key, purpose, origin)
    if value.ndim > 1 and max(value.shape) != value.size:
        raise DataError(f"{origin.source}: {key!r}, {purpose}, has shape {value.shape}; expected one per sample.")
    flat = value.ravel()
    if flat.dtype == object:
        items = [item.item() if isinstance(item, np.ndarray) and item.size == 1 else item for item in flat]
        items = [None if isinstance(item, np.ndarray) and not item.size else item for item in items]
        flat = np.empty(len(items), dtype=object)
        flat[:] = items
    return flat


def _require_equal_lengths(
    matrices: Mapping[str, NDArray[Any]],
    schema: DataSchema,
    label: str | None,
    labels: NDArray[Any] | None,
    origin: Origin,
) -> None:
    first = next(iter(matrices))
    n, measure = len(matrices[first]), f"modality {first!r}"
    if origin.ids is not None:
        n, measure = len(origin.ids), f"the id {schema.id!r}"
    if labels is not None:
        n, measure = len(labels), f"the label {label!r}"
    alike = len(matrices) > 1 and labels is None and len({x.shape[1] for x in matrices.values()}) == 1
    for name, x in matrices.items():
        if len(x) != n:
            turned = "false" if schema.modalities[name].transpose else "true"
            hint = f" Read as {len(x)} samples x {x.shape[1]} features; the other way with transpose: {turned}."
            raise DataError(
                f"{origin.source}: modality {name!r} has {len(x)} samples, but {measure} has {n}."
                + (hint if alike or x.shape[1] == n else "")
            )
