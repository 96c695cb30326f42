"""Which columns of a data frame or matrix in memory are which modality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.columns import select_columns
from qmf.data.frames import frame_matrix
from qmf.data.origin import Origin, first_few
from qmf.data.vectors import as_matrix
from qmf.errors import ConfigError, DataError

__all__ = ["Matrix", "View", "frame_views", "matrix_views", "require_names"]

View = str | Sequence[str] | Sequence[int] | slice | range
Matrix = tuple[NDArray[Any], Sequence[str] | None]

_WHOLE = "features"


def require_names(modalities: Iterable[Any], origin: Origin) -> None:
    """Refuse modalities without names, or no modality.

    Parameters
    ----------
    modalities : iterable
        Their names.
    origin : Origin
        Where they came from.

    Raises
    ------
    ConfigError
        If there is none, or one is not a string.
    """
    names = list(modalities)
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{origin.source}: expected at least one modality, each named by a string; got {names!r}.")


def frame_views(X: Any, views: Mapping[str, View] | None, origin: Origin) -> dict[str, Matrix]:
    """Give the modalities of a data frame.

    Parameters
    ----------
    X : data frame with N rows
        Of any library that narwhals knows.
    views : mapping of str to columns or None
        As in `from_arrays`; None for one modality of all columns.
    origin : Origin
        Where it came from.

    Returns
    -------
    dict of str to (ndarray [N, D_m], column names or None)
        The modalities, NaN for "empty".

    Raises
    ------
    DataError
        If a column is missing or holds no numbers.
    ConfigError
        If a view is not as described.
    """
    import narwhals as nw

    try:
        frame = nw.from_native(X, eager_only=True)
    except (TypeError, ValueError, nw.exceptions.NarwhalsError) as error:
        raise DataError(f"{origin.source}: not a usable data frame: {error}") from error
    matrices: dict[str, Matrix] = {}
    for name, view in (views or {_WHOLE: frame.columns}).items():
        entries = [view] if isinstance(view, str) else view
        if not isinstance(entries, Sequence) or not all(isinstance(entry, str) for entry in entries):
            raise ConfigError(
                f"views[{name!r}]={view!r}: for a data frame, expected a column name, a pattern such as 'fou_*', or a"
                " list of them."
            )
        columns = select_columns([str(entry) for entry in entries], frame.columns, name, origin.source)
        matrices[name] = frame_matrix(frame, columns, name, origin)
    return matrices


def matrix_views(X: Any, views: Mapping[str, View] | None, origin: Origin) -> dict[str, Matrix]:
    """Give the modalities of a matrix.

    Parameters
    ----------
    X : array-like [N, D]
        Real numbers.
    views : mapping of str to columns or None
        As in `from_arrays`; None for one modality of all columns.
    origin : Origin
        Where it came from.

    Returns
    -------
    dict of str to (ndarray [N, D_m], column names or None)
        The modalities, NaN for "empty".

    Raises
    ------
    DataError
        If it is no matrix of real numbers, a position is outside it, or a view names no column.
    ConfigError
        If a view is not as described.
    """
    try:
        is_matrix = np.ndim(X) == 2
    except ValueError:  # a list with None, or rows of different lengths
        is_matrix = True
    if not is_matrix:
        raise DataError(
            f"{origin.source} is a {type(X).__name__} of shape {np.shape(X)}; expected samples x features, shape"
            " (N, D), a data frame, or a mapping of modality name to array."
        )
    matrix = as_matrix(X, None, origin)
    if views is None:
        return {_WHOLE: (matrix, None)}
    return {name: _positions(matrix, name, view, origin) for name, view in views.items()}


def _positions(matrix: NDArray[Any], name: str, view: View, origin: Origin) -> Matrix:
    width = matrix.shape[1]
    if isinstance(view, slice):
        chosen = list(range(width))[view]
    elif isinstance(view, Sequence | np.ndarray) and all(
        isinstance(j, int | np.integer) and not isinstance(j, bool) for j in view
    ):
        chosen = [int(j) for j in view]
    else:
        raise ConfigError(
            f"views[{name!r}]={view!r}: for a matrix, expected positions of columns as a list, slice or range."
        )
    outside = [j for j in chosen if not -width <= j < width]
    if outside or not chosen:
        reason = f"names the columns {first_few(map(str, outside), len(outside))}" if outside else "names no column"
        raise DataError(f"{origin.source}: modality {name!r} {reason}; there are {width}, counted from 0.")
    return matrix[:, chosen], [str(j % width) for j in chosen]
