"""Where samples came from, so that every message can name the place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Origin", "first_few", "nearest_name"]

_SHOWN = 5


@dataclass(frozen=True)
class Origin:
    """What messages need to know about the source of some samples.

    Attributes
    ----------
    source : str
        A file's name, or "X".
    locate : callable
        From a sample's position to what a person finds it by: "row 3", or "line 5" of a text file.
    remedy : str
        How this kind of source declares a modality absent.
    ids : ndarray [N] of str or None
        Sample ids, where the source gives some.
    """

    source: str
    locate: Callable[[int], str] = "row {}".format
    remedy: str = "make the whole row NaN"
    ids: NDArray[np.str_] | None = None

    def sample(self, row: int) -> str:
        """Name one sample, for example ``line 5 (id 'b')``."""
        return self.locate(row) + ("" if self.ids is None else f" (id {str(self.ids[row])!r})")

    def samples(self, rows: NDArray[np.int64]) -> str:
        """Name the first few of several samples."""
        return first_few((self.sample(int(row)) for row in rows[:_SHOWN]), len(rows))

    def place(self, row: int, modality: str | None) -> str:
        """Name source, sample and modality, as the beginning of a message."""
        return f"{self.source}, {self.sample(row)}" + ("" if modality is None else f", modality {modality!r}")


def first_few(names: Iterable[str], total: int) -> str:
    """Join names, of which there may be more than are shown.

    Parameters
    ----------
    names : iterable of str
        At least the first few.
    total : int
        How many there are.

    Returns
    -------
    str
        "a, b, c, d, e and 7 more".

    Examples
    --------
    >>> first_few(["a", "b"], 2)
    'a, b'
    """
    shown = [name for name, _ in zip(names, range(_SHOWN), strict=False)]
    return ", ".join(shown) + (f" and {total - len(shown)} more" if total > len(shown) else "")


def nearest_name(name: str, known: Sequence[str]) -> str:
    """Give the hint that ends a message about an unknown name.

    Parameters
    ----------
    name : str
        What was asked for.
    known : sequence of str
        What there is.

    Returns
    -------
    str
        The nearest known name, or the first few where none is near.

    Examples
    --------
    >>> nearest_name("colour", ["color", "size"])
    "did you mean 'color'?"
    """
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    return f"there are: {first_few(map(repr, known), len(known)) or 'none'}."
