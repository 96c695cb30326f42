"""The one place that decides whether a sample's modality is there, and refuses what is neither here nor there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.origin import Origin, first_few
from qmf.errors import DataError

__all__ = ["presence_of", "require_some_modality"]


def presence_of(
    values: NDArray[Any], modality: str, origin: Origin, columns: Sequence[str] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Split numbers with NaN for "empty" into features and presence.

    A row that is NaN throughout is an absent modality. A row that is NaN in part is an error, as is infinity: nothing
    is filled.

    Parameters
    ----------
    values : ndarray [N, D], real numbers
        One modality.
    modality : str
        Its name, for messages.
    origin : Origin
        Where the samples came from.
    columns : sequence of D str, optional
        Names of the columns, for messages; by default their positions.

    Returns
    -------
    features : ndarray [N, D], float32
        The numbers; 0 in the rows of an absent modality.
    present : ndarray [N], bool
        True where the modality is there.

    Raises
    ------
    DataError
        If a row holds both numbers and NaN, or a number is infinite, here or once it is float32; or D is 0.
    """
    if values.shape[1] == 0:
        raise DataError(f"{origin.source}: modality {modality!r} has no columns; expected at least one.")
    present = np.ones(len(values), dtype=bool)
    finite = np.isfinite(values)
    if not finite.all():
        empty = np.isnan(values)
        present = ~empty.all(axis=1)
        _refuse_partly_empty(empty & present[:, None], modality, origin, columns)
        _refuse_infinite(~finite & ~empty, values, "contains inf (infinity)", modality, origin, columns)
    with np.errstate(over="ignore"):
        features = values.astype(np.float32, order="C", copy=True)
    features[~present] = 0
    what = "contains inf (infinity) once it is converted to float32, which ends at 3.4e38"
    _refuse_infinite(~np.isfinite(features), values, what, modality, origin, columns)
    return features, present


def require_some_modality(present: NDArray[np.bool_], origin: Origin) -> None:
    """Refuse samples of which nothing is known.

    Parameters
    ----------
    present : ndarray [N, M], bool
        Presence.
    origin : Origin
        Where the samples came from.

    Raises
    ------
    DataError
        If a sample has no modality at all.
    """
    rows = np.flatnonzero(~present.any(axis=1))
    if len(rows):
        raise DataError(
            f"{origin.source}: no modality is present in {origin.samples(rows)} (all are empty, NaN or None); every"
            " sample needs at least one. Leave such samples out."
        )


def _refuse_partly_empty(
    empty: NDArray[np.bool_], modality: str, origin: Origin, columns: Sequence[str] | None
) -> None:
    rows = np.flatnonzero(empty.any(axis=1))
    if len(rows):
        raise DataError(
            f"{origin.place(int(rows[0]), modality)}: contains NaN (empty) in {_named(empty[rows[0]], columns)}, while"
            f" other columns hold numbers{_more(rows)}. Give the missing numbers; or, to declare the modality absent,"
            f" {origin.remedy}."
        )


def _refuse_infinite(
    infinite: NDArray[np.bool_],
    values: NDArray[Any],
    what: str,
    modality: str,
    origin: Origin,
    columns: Sequence[str] | None,
) -> None:
    rows = np.flatnonzero(infinite.any(axis=1))
    if len(rows):
        row = int(rows[0])
        value = values[row, np.flatnonzero(infinite[row])[0]]
        raise DataError(
            f"{origin.place(row, modality)}: {what}: {value} in {_named(infinite[row], columns)}{_more(rows)}. Expected"
            " finite numbers; correct them or leave the sample out."
        )


def _named(chosen: NDArray[np.bool_], columns: Sequence[str] | None) -> str:
    positions = np.flatnonzero(chosen)
    names = (str(j) if columns is None else repr(columns[j]) for j in positions.tolist())
    return ("columns " if len(positions) > 1 else "column ") + first_few(names, len(positions))


def _more(rows: NDArray[np.int64]) -> str:
    return f" (and so in {len(rows) - 1} more rows)" if len(rows) > 1 else ""
