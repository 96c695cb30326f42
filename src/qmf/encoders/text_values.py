"""What a text encoder takes: texts, or paths of UTF-8 files that hold them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qmf.errors import DataError

__all__ = ["as_texts"]


def as_texts(values: Sequence[Any]) -> list[str]:
    """Give every value as a text that is valid Unicode.

    Parameters
    ----------
    values : sequence of str or path-like
        A ``str`` is a text; a path is a UTF-8 file, read here. Lone surrogates become U+FFFD.

    Returns
    -------
    list of str
        One text per value, in order.

    Raises
    ------
    DataError
        If a value is neither (None included), or a file cannot be read as UTF-8.

    Examples
    --------
    >>> as_texts(["a dog"])
    ['a dog']
    """
    return [_as_text(value, position) for position, value in enumerate(values)]


def _as_text(value: Any, position: int) -> str:
    if isinstance(value, os.PathLike):
        try:
            return Path(value).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"Value {position}: {value} cannot be read as a UTF-8 text file: {error}") from error
    if not isinstance(value, str):
        raise DataError(
            f"Value {position} is a {type(value).__name__}, a text encoder takes str or Path; "
            "absent texts are None and go through encode_cached"
        )
    if value.isascii():
        return str(value)
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
