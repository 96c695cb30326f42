"""Numbers and lists as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["count", "listing", "number", "percent", "points", "shorten", "signed"]

_ABSENT = "–"
_MINUS = "\N{MINUS SIGN}"


def number(value: float, decimals: int = 2) -> str:
    """Give a number with a real minus sign; a dash for NaN and infinity.

    Examples
    --------
    >>> number(-0.5), number(float("nan")), number(-0.001)
    ('−0.50', '–', '0.00')
    """
    if not math.isfinite(value):
        return _ABSENT
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", _MINUS)


def signed(value: float, decimals: int = 2) -> str:
    """Give a number that shows its sign, ``+`` too.

    Examples
    --------
    >>> signed(0.25), signed(-0.25), signed(0.0)
    ('+0.25', '−0.25', '0.00')
    """
    text = number(value, decimals)
    return f"+{text}" if value > 0 and text != _ABSENT and float(text) != 0 else text


def percent(share: float) -> str:
    """Give a share as a percentage.

    Examples
    --------
    >>> percent(0.9125), percent(float("nan"))
    ('91.2 %', '–')
    """
    return f"{number(100 * share, 1)} %" if math.isfinite(share) else _ABSENT


def points(difference: float) -> str:
    """Give the size of a difference between two shares in percentage points.

    Examples
    --------
    >>> points(-0.034), points(0.01)
    ('3.4 points', '1.0 points')
    """
    return f"{number(100 * abs(difference), 1)} points"


def count(total: int, noun: str) -> str:
    """Give a number with its noun, in the plural unless it is one.

    Examples
    --------
    >>> count(1, "condition"), count(1600, "sample")
    ('1 condition', '1,600 samples')
    """
    return f"{total:,} {noun}" + ("" if total == 1 else "s")


def listing(names: Sequence[str]) -> str:
    """Join names as in a sentence.

    Examples
    --------
    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def shorten(text: str, length: int) -> str:
    """Cut a text that is too long for where it goes, and show that it was cut.

    Examples
    --------
    >>> shorten("morphological", 8)
    'morphol…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"
