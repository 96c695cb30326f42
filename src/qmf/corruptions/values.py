"""Text, audio and vectors, to and from the form that corruptions work on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qmf.errors import DataError

__all__ = ["open_audio", "open_text", "open_vector"]

Closer = Callable[[Any], Any]


def open_text(value: Any, where: str) -> tuple[str, Closer]:
    """Check that a value is text.

    Parameters
    ----------
    value : str
        The text.
    where : str
        Sample and modality, for messages.

    Returns
    -------
    text : str
        The same.
    close : callable
        Gives its argument.

    Raises
    ------
    DataError
        If it is not a str.
    """
    if not isinstance(value, str):
        raise DataError(f"{where}: expected text (str), got {type(value).__name__}.")
    return value, str


def open_audio(value: Any, where: str) -> tuple[Any, Closer]:
    """Open a waveform ``[T]``; see `open_vector`."""
    return _open_floats(value, where, "a waveform [T]")


def open_vector(value: Any, where: str) -> tuple[Any, Closer]:
    """Open a vector of D features.

    Parameters
    ----------
    value : ndarray [D], float
        The features.
    where : str
        Sample and modality, for messages.

    Returns
    -------
    opened : ndarray [D], float64
        A copy.
    close : callable
        Back to the type it had.

    Raises
    ------
    DataError
        If it is not a float array with one axis and at least one number, or not finite.
    """
    return _open_floats(value, where, "a vector [D]")


def _open_floats(value: Any, where: str, expected: str) -> tuple[Any, Closer]:
    if not isinstance(value, np.ndarray):
        raise DataError(f"{where}: expected {expected} as a float array, got {type(value).__name__}.")
    if not np.issubdtype(value.dtype, np.floating) or value.ndim != 1 or not value.size:
        raise DataError(f"{where}: expected {expected} as a float array, got {value.dtype} {value.shape}.")
    if not np.isfinite(value).all():
        raise DataError(f"{where}: entry {int(np.argmin(np.isfinite(value)))} is NaN or infinite; fill it first.")
    dtype = value.dtype
    return value.astype(np.float64), lambda result: result.astype(dtype)
