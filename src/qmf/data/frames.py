"""From columns of a data frame, of any library that narwhals knows, to one matrix of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.origin import Origin
from qmf.data.vectors import as_matrix
from qmf.errors import DataError

if TYPE_CHECKING:
    import narwhals as nw
    import polars as pl

__all__ = ["frame_matrix"]


def frame_matrix(
    frame: nw.DataFrame[Any], columns: Sequence[str], modality: str, origin: Origin
) -> tuple[NDArray[Any], Sequence[str] | None]:
    """Give some columns, or one column of lists, as a matrix of numbers.

    Parameters
    ----------
    frame : narwhals.DataFrame with N rows
        The table.
    columns : sequence of D str
        Columns of numbers or booleans; or one column that holds a list of D numbers in each row.
    modality : str
        Its name, for messages.
    origin : Origin
        Where it came from.

    Returns
    -------
    values : ndarray [N, D]
        The numbers; NaN where a cell is empty (null).
    names : sequence of D str or None
        Their columns; None for those of a list, known by their positions.

    Raises
    ------
    DataError
        If a column holds text or anything else that is no number, or lists differ in length.
    """
    import narwhals as nw

    if len(columns) == 1:
        series = frame[columns[0]]
        if series.dtype in (nw.List, nw.Array):
            return _list_matrix(series.to_polars(), modality, origin), None
        if series.dtype == nw.Object:
            return as_matrix(series.to_list(), modality, origin), None
    # Filled column by column, so kept column by column.
    matrix = np.empty((len(frame), len(columns)), dtype=np.float64, order="F")
    for j, name in enumerate(columns):
        matrix[:, j] = _column(frame[name], modality, origin)
    return matrix, columns


def _column(series: nw.Series[Any], modality: str, origin: Origin) -> NDArray[Any]:
    import narwhals as nw

    dtype = series.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        return series.cast(nw.Float64).to_numpy()
    empty = series.is_null().to_numpy()
    if empty.all():
        return np.full(len(series), np.nan)
    if dtype == nw.Object:
        return as_matrix(series.to_list(), modality, origin)[:, 0]
    row = int(np.flatnonzero(~empty)[0])
    hint = " A column of lists must be the only one of its modality." if dtype in (nw.List, nw.Array) else ""
    raise DataError(
        f"{origin.place(row, modality)}: column {series.name!r} holds {series[row]!r} ({dtype}) where a number belongs."
        f" Give numbers; nothing is converted from text.{hint}"
    )


def _list_matrix(series: pl.Series, modality: str, origin: Origin) -> NDArray[Any]:
    import polars as pl

    lists = series.arr.to_list() if isinstance(series.dtype, pl.Array) else series
    inner = lists.dtype.inner  # type: ignore[attr-defined]
    lengths = lists.list.len()
    there = np.flatnonzero(lengths.is_not_null().to_numpy())
    where = f"column {series.name!r}"
    if not len(there):
        raise DataError(
            f"{origin.source}: modality {modality!r}: {where} is empty in every row, so the length of its lists is"
            " unknown. Leave the modality out, or give it for some sample."
        )
    sizes = lengths.drop_nulls().to_numpy()
    width = int(sizes[0])
    for at in np.flatnonzero((sizes != width) | (sizes == 0))[:1]:
        raise DataError(
            f"{origin.place(int(there[at]), modality)}: {where} holds a list of {sizes[at]} numbers; expected"
            f" {width or 1}, as in {origin.sample(int(there[0]))}. To declare the modality absent, leave the"
            " cell empty (null)."
        )
    if not (inner.is_numeric() or inner in (pl.Boolean, pl.Null)):
        raise DataError(
            f"{origin.place(int(there[0]), modality)}: {where} holds lists of {inner}, for example"
            f" {lists[int(there[0])].to_list()[:3]!r}; expected lists of numbers."
        )
    flat = lists.drop_nulls().explode().cast(pl.Float64).to_numpy()
    matrix = np.full((len(lists), width), np.nan)
    matrix[there] = flat.reshape(-1, width)
    return matrix
