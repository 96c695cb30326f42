"""Which columns of a table are which modality."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from qmf.data.origin import first_few, nearest_name
from qmf.errors import ConfigError, DataError

__all__ = ["require_column", "select_columns"]


def select_columns(entries: Sequence[str], available: Sequence[str], modality: str, source: str) -> list[str]:
    """Give the columns that names and shell patterns stand for.

    Parameters
    ----------
    entries : sequence of str
        Column names, or patterns such as ``fou_*``. A column of exactly that name goes before the pattern.
    available : sequence of str
        The table's columns, in order.
    modality : str
        For whom, for messages.
    source : str
        What messages call the table.

    Returns
    -------
    list of str
        In the order of `entries`; those of a pattern in the order of the table.

    Raises
    ------
    DataError
        If a column is not there, a pattern matches none, or there are no entries.
    ConfigError
        If a column is named twice.

    Examples
    --------
    >>> select_columns(["b_*", "a"], ["a", "b_1", "b_2"], "sound", "table.csv")
    ['b_1', 'b_2', 'a']
    """
    known = set(available)
    chosen: list[str] = []
    for entry in entries:
        is_pattern = entry not in known and any(sign in entry for sign in "*?[")
        matches = [name for name in available if fnmatchcase(name, entry)] if is_pattern else [entry]
        if not matches:
            raise DataError(
                f"{source}: pattern {entry!r} of modality {modality!r} matches no column;"
                f" there are: {first_few(map(repr, available), len(available))}."
            )
        if not is_pattern:
            require_column(entry, available, f"modality {modality!r}", source)
        chosen += matches
    if not chosen:
        raise DataError(f"{source}: modality {modality!r} names no column; expected at least one.")
    if len(set(chosen)) < len(chosen):
        twice = next(name for name in chosen if chosen.count(name) > 1)
        raise ConfigError(f"{source}: modality {modality!r} names the column {twice!r} twice; name it once.")
    return chosen


def require_column(name: str, available: Sequence[str], purpose: str, source: str) -> None:
    """Refuse to go on without a column.

    Parameters
    ----------
    name : str
        The column.
    available : sequence of str
        The table's columns.
    purpose : str
        What it is for, for example ``the label``.
    source : str
        What messages call the table.

    Raises
    ------
    DataError
        If it is not there, with the nearest name that is.
    """
    if name not in available:
        one = (
            f" It has one column, {available[0]!r}: are its columns separated by commas?" if len(available) == 1 else ""
        )
        raise DataError(f"{source}: no column {name!r} for {purpose}; {nearest_name(name, available)}{one}")
