"""Labels that come in parts: one type for all of them, which only all together tell."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.labels import INTEGER
from qmf.data.raw import RawSamples
from qmf.data.samples import Samples
from qmf.errors import DataError

__all__ = ["LabelCodes"]


class LabelCodes:
    """Collects labels as numbers, four bytes each, and gives them back."""

    def __init__(self) -> None:
        self.codes: dict[Any, int] = {}
        self.parts: list[NDArray[np.int32]] = []
        self.first: Samples | RawSamples | None = None

    def add(self, part: Samples | RawSamples) -> None:
        """Take the labels of a part.

        Raises
        ------
        DataError
            If it has none, or they are of another type than those of the first part.
        """
        if part.labels is None:
            raise DataError(f"{part.source} has no labels: they are needed here.")
        kind = _kind(part.labels)
        if self.first is None:
            self.first = part.take([0])
        first = self.first.labels
        if first is not None and kind != _kind(first):
            raise DataError(
                f"{part.source}: labels are {kind}, such as {part.labels.tolist()[0]!r}; in {self.first.source} they"
                f" are {_kind(first)}, such as {first.tolist()[0]!r}. Write them in one way."
            )
        values, positions = np.unique(part.labels, return_inverse=True)
        known = [self.codes.setdefault(value, len(self.codes)) for value in values.tolist()]
        self.parts.append(np.array(known, dtype=np.int32)[positions])

    def labels(self, *, written: bool) -> NDArray[Any]:
        """Give all labels [N].

        Parameters
        ----------
        written : bool
            If True, texts become integers if all of them are written as such.
        """
        values = list(self.codes)
        if written and all(isinstance(value, str) and re.match(INTEGER, value.strip()) for value in values):
            values = [int(value) for value in values]
        return np.array(values)[np.concatenate(self.parts)]


def _kind(labels: NDArray[Any]) -> str:
    return {"b": "booleans", "i": "integers", "u": "integers"}.get(labels.dtype.kind, "texts")
