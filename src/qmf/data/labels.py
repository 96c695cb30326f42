"""Labels and sample ids: one plain type each, none missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qmf.data.origin import Origin, first_few
from qmf.errors import DataError

__all__ = ["INTEGER", "checked_ids", "checked_labels", "require_length"]

# Written the one way an integer is written, so that no two texts become the same label.
INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"


_PLAIN = {bool: np.bool_, int: np.int64, str: np.str_}


def checked_labels(labels: ArrayLike, origin: Origin, name: str = "label") -> NDArray[Any]:
    """Give labels as an array of integers, strings or booleans.

    Parameters
    ----------
    labels : array-like [N]
        Integers, strings, booleans, or floats that are whole numbers.
    origin : Origin
        Where they came from.
    name : str
        What messages call them.

    Returns
    -------
    ndarray [N]
        Integers (whole floats become int64), strings or booleans.

    Raises
    ------
    DataError
        If one is missing (None, NaN, empty), they are not one per sample, a float is not a whole number, types are
        mixed, or of any other type.
    """
    values = np.asarray(labels)
    if values.ndim != 1:
        raise DataError(f"{origin.source}: {name} has shape {values.shape}; expected one per sample, shape (N,).")
    _refuse_missing(values, origin, name)
    if values.dtype.kind in "OT":
        return _from_objects(values, origin, name)
    if values.dtype.kind == "f":
        return _from_floats(values, origin, name)
    if values.dtype.kind not in "biuU":
        raise DataError(f"{origin.source}: {name} is of type {values.dtype}; expected integers, strings or booleans.")
    return values.copy()


def checked_ids(ids: ArrayLike, origin: Origin, name: str = "ids") -> NDArray[np.str_]:
    """Give sample ids as strings, each there once.

    Parameters
    ----------
    ids : array-like [N]
        Strings or whole numbers.
    origin : Origin
        Where they came from.
    name : str
        What messages call them.

    Returns
    -------
    ndarray [N] of str
        The ids.

    Raises
    ------
    DataError
        As `checked_labels`, and if an id is there twice.
    """
    texts: NDArray[np.str_] = checked_labels(ids, origin, name).astype(np.str_)
    if len(set(texts.tolist())) < len(texts):
        distinct, counts = np.unique(texts, return_counts=True)
        twice = distinct[counts > 1].tolist()
        rows = np.flatnonzero(texts == twice[0])
        raise DataError(
            f"{origin.source}: {name} must be unique; {len(twice)} there more than once:"
            f" {first_few(map(repr, twice), len(twice))} ({twice[0]!r} in {origin.samples(rows)})."
        )
    return texts


def require_length(n: int, values: Sequence[Any] | NDArray[Any], name: str, origin: Origin) -> None:
    """Refuse labels or ids that are not one per sample.

    Parameters
    ----------
    n : int
        Number of samples.
    values : sequence
        Labels or ids.
    name : str
        What messages call them.
    origin : Origin
        Where they came from.

    Raises
    ------
    DataError
        If there are not `n`.
    """
    if len(values) != n:
        raise DataError(f"{origin.source}: {len(values)} {name} for {n} samples; expected one per sample.")


def _refuse_missing(values: NDArray[Any], origin: Origin, name: str) -> None:
    if values.dtype.kind == "f":
        missing = np.isnan(values)
    elif values.dtype.kind == "U":
        missing = np.char.strip(values) == ""
    elif values.dtype.kind in "OT":
        # NaN and pandas.NaT differ from themselves; pandas.NA has no truth value, so it goes by its type's name.
        missing = np.array([_is_missing(value) for value in values.tolist()], dtype=bool)
    else:
        return
    rows = np.flatnonzero(missing)
    if len(rows):
        raise DataError(
            f"{origin.source}: {name} is missing (None, NaN or empty) in {origin.samples(rows)}. Give it, or leave"
            " those samples out."
        )


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def _from_objects(values: NDArray[Any], origin: Origin, name: str) -> NDArray[Any]:
    items = [value.item() if isinstance(value, np.generic) else value for value in values.tolist()]
    kinds = sorted(set(map(type, items)), key=lambda kind: kind.__name__)
    if kinds == [float] or kinds == [float, int]:
        return _from_floats(np.array(items, dtype=np.float64), origin, name)
    if len(kinds) == 1 and kinds[0] in _PLAIN:
        try:
            return np.array(items, dtype=_PLAIN[kinds[0]])
        except OverflowError as error:
            raise DataError(f"{origin.source}: {name} holds an integer beyond 64 bits; make them strings.") from error
    first = [next(i for i, item in enumerate(items) if type(item) is kind) for kind in kinds]
    found = ", ".join(f"{kind.__name__} in {origin.sample(i)}" for kind, i in zip(kinds, first, strict=True))
    raise DataError(f"{origin.source}: {name} holds {found}; expected only integers, only strings or only booleans.")


def _from_floats(values: NDArray[Any], origin: Origin, name: str) -> NDArray[np.int64]:
    # Beyond 2**53 neighbouring integers share a float, so a whole float no longer says which one was meant.
    rows = np.flatnonzero((values != np.rint(values)) | ~(np.abs(values) <= 2**53))
    if len(rows):
        raise DataError(
            f"{origin.source}: {name} is {values[rows[0]]} in {origin.sample(int(rows[0]))}. Unknown label type:"
            " continuous. Expected integers, strings or booleans."
        )
    return values.astype(np.int64)
