"""From whatever array-like a person holds to one matrix of real numbers, with NaN for "empty"."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.origin import Origin
from qmf.errors import DataError

__all__ = ["as_matrix", "is_number"]


def as_matrix(value: Any, modality: str | None, origin: Origin) -> NDArray[Any]:
    """Give one modality as a matrix of real numbers.

    Parameters
    ----------
    value : array-like [N, D] or [N], or list of N vectors, numbers or None
        One number per sample is one column. None becomes a row of NaN, as does what a masked array masks.
    modality : str or None
        Its name, for messages.
    origin : Origin
        Where it came from.

    Returns
    -------
    ndarray [N, D] of booleans, integers or floats
        The numbers. NaN where there were none.

    Raises
    ------
    DataError
        If it is not [N, D] or [N], holds text or anything else that is no real number, vectors differ in length, or
        every item of a list is None.
    """
    if isinstance(value, list | tuple):
        return _stacked(value, modality, origin)
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.nan)
    array = np.asarray(value)
    if array.dtype == object and array.ndim == 1:
        return _stacked(array.tolist(), modality, origin)
    if array.ndim not in (1, 2):
        raise DataError(
            f"{_named(modality, origin)} is a {type(value).__name__} of shape {array.shape}; expected samples x"
            " features, shape (N, D), or one number per sample, shape (N,)."
        )
    return _numbers(array[:, None] if array.ndim == 1 else array, modality, origin)


def is_number(value: Any) -> bool:
    """Say whether `value` is a real number or a boolean: text that looks like one is not."""
    return isinstance(value, Real | np.bool_)


def _stacked(items: Sequence[Any], modality: str | None, origin: Origin) -> NDArray[Any]:
    there = [i for i, item in enumerate(items) if item is not None]
    if not there:
        reason = "has 0 samples" if not len(items) else "is None in every sample, so its number of features is unknown"
        raise DataError(f"{_named(modality, origin)} {reason}. Leave the modality out, or give it for some sample.")
    if len(there) == len(items):
        with suppress(ValueError):  # lengths differ: said below, with the place
            array = np.asarray(items)
            if array.dtype.kind in "biuf" and array.ndim in (1, 2):
                return array[:, None] if array.ndim == 1 else array
    vectors = [_vector(items[i]) for i in there]
    shape = vectors[0].shape
    for i, vector in zip(there, vectors, strict=True):
        if vector.shape != shape or vector.ndim != 1:
            raise DataError(
                f"{origin.place(i, modality)}: expected a vector of {shape[0]} numbers, as in"
                f" {origin.sample(there[0])}; got shape {vector.shape}."
            )
        if vector.dtype.kind not in "biuf":
            _numbers(vector[None], modality, origin, first_row=i)
    stacked = _numbers(np.stack(vectors), modality, origin)
    matrix = np.full((len(items), shape[0]), np.nan, dtype=np.result_type(stacked, np.float32))
    matrix[there] = stacked
    return matrix


def _vector(item: Any) -> NDArray[Any]:
    with suppress(ValueError):  # nested lists of different lengths
        vector = np.atleast_1d(np.asarray(item))
        if vector.dtype.kind in "biuf":
            return vector
    # As objects, numbers beside text stay numbers, and the text can be named.
    return np.atleast_1d(np.array(item, dtype=object))


def _numbers(array: NDArray[Any], modality: str | None, origin: Origin, first_row: int = 0) -> NDArray[Any]:
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "O":
        wrong = next((at for at, item in enumerate(array.flat) if item is not None and not is_number(item)), None)
        if wrong is None:
            return array.astype(np.float64)
    elif array.dtype.kind in "UST":
        wrong = 0
    else:
        raise DataError(f"{_named(modality, origin)} is of type {array.dtype}; expected real numbers.")
    row, column = divmod(wrong, max(1, array.shape[1]))
    item = array.ravel()[wrong : wrong + 1].tolist()[0] if array.size else ""
    raise DataError(
        f"{origin.place(first_row + row, modality)}: column {column} holds {item!r} ({type(item).__name__}) where a"
        " number belongs. Give numbers; nothing is converted from text."
    )


def _named(modality: str | None, origin: Origin) -> str:
    return origin.source if modality is None else f"{origin.source}: modality {modality!r}"
