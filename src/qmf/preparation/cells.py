"""Steps for cells of a table: vectors as they are, numbers with what is empty among them, categories."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data import RawModality
from qmf.errors import DataError

__all__ = ["CategoricalStep", "NumericStep", "VectorStep"]


@dataclass(frozen=True)
class VectorStep:
    """Vectors of D numbers, as they are; a row is wholly there or wholly absent."""

    width: int

    @staticmethod
    def summary(raw: RawModality) -> int:
        """Give what `fit` takes of some samples: the width."""
        return int(raw.values.shape[1])

    @classmethod
    def fit(cls, summaries: Sequence[int], columns: tuple[str, ...]) -> VectorStep:
        """Learn the width, from a summary of each part of the samples."""
        return cls(summaries[0])

    def __call__(self, raw: RawModality) -> NDArray[np.float64]:
        """Give [N, D], NaN where empty."""
        values: NDArray[np.float64] = raw.values
        return values


@dataclass(frozen=True)
class NumericStep:
    """Numbers of D columns, of which some may be empty: ``(x - mean, or 0 where empty | 1 where empty)``.

    The model sees which cells were empty; nothing is made up for them. A row of empty cells only is an absent
    modality.

    Attributes
    ----------
    columns : tuple of D str
        Names, for messages.
    mean : tuple of D float
        Over the training samples that have the number.
    gaps : tuple of D bool
        Whether the column was ever empty in a training row that has the modality. Such columns get an indicator.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    gaps: tuple[bool, ...]

    @property
    def width(self) -> int:
        """Number of features: D and one for each column with gaps."""
        return len(self.mean) + sum(self.gaps)

    @staticmethod
    def summary(raw: RawModality) -> NDArray[np.float64]:
        """Give what `fit` takes of some samples, [3, D]: sums, how many numbers there are, and how many gaps."""
        x, there = raw.values, raw.present
        empty = np.isnan(x)
        return np.stack(
            [np.where(empty, 0.0, x).sum(axis=0), (~empty).sum(axis=0), (empty & there[:, None]).sum(axis=0)]
        )

    @classmethod
    def fit(cls, summaries: Sequence[NDArray[np.float64]], columns: tuple[str, ...]) -> NumericStep:
        """Learn means and which columns have gaps, from a summary of each part of the samples."""
        total, counts, gaps = np.sum(summaries, axis=0)
        mean = total / np.maximum(counts, 1)
        return cls(columns or _numbered(len(mean)), tuple(mean.tolist()), tuple((gaps > 0).tolist()))

    def __call__(self, raw: RawModality) -> NDArray[np.float64]:
        """Give [N, width], NaN where the modality is absent.

        Raises
        ------
        DataError
            If a column is empty that never was in training, or the number of columns differs.
        """
        x, there = raw.values, raw.present
        if x.shape[1] != len(self.mean):
            raise DataError(f"{x.shape[1]} columns; in training there were {len(self.mean)}.")
        empty = np.isnan(x)
        gaps = np.array(self.gaps)
        for row, j in np.argwhere(empty & there[:, None] & ~gaps)[:1]:
            raise DataError(
                f"row {row}: column {self.columns[j]!r} is empty, which it never was in training. Give the number; or"
                " leave all cells of the modality empty, to declare it absent."
            )
        features = np.concatenate([np.where(empty, 0.0, x - np.array(self.mean)), empty[:, gaps]], axis=1)
        features[~there] = np.nan
        return features


@dataclass(frozen=True)
class CategoricalStep:
    """Categories of D columns, one feature for each category of training and one for "empty" where that occurred.

    A category that training has not seen is none of them: all its features are 0, and a warning names it.

    Attributes
    ----------
    columns : tuple of D str
        Names, for messages.
    categories : tuple of D tuples of (str or None)
        Of each column, sorted; None stands for "empty".
    """

    columns: tuple[str, ...]
    categories: tuple[tuple[str | None, ...], ...]

    @property
    def width(self) -> int:
        """Number of features."""
        return sum(map(len, self.categories))

    @staticmethod
    def summary(raw: RawModality) -> list[set[str | None]]:
        """Give what `fit` takes of some samples: the categories of each column."""
        rows = raw.values[raw.present]
        return [set(rows[:, j].tolist()) for j in range(rows.shape[1])]

    @classmethod
    def fit(cls, summaries: Sequence[list[set[str | None]]], columns: tuple[str, ...]) -> CategoricalStep:
        """Learn the categories, from a summary of each part of the samples."""
        found = [set[str | None]().union(*parts) for parts in zip(*summaries, strict=True)]
        ordered = tuple(_sorted(categories) for categories in found)
        return cls(columns or _numbered(len(ordered)), ordered)

    def __call__(self, raw: RawModality) -> NDArray[np.float64]:
        """Give [N, width], NaN where the modality is absent.

        Raises
        ------
        DataError
            If the number of columns differs.
        """
        x, there = raw.values, raw.present
        if x.shape[1] != len(self.categories):
            raise DataError(f"{x.shape[1]} columns; in training there were {len(self.categories)}.")
        parts = [self._column(x[:, j], there, j) for j in range(x.shape[1])]
        features = np.concatenate(parts, axis=1)
        features[~there] = np.nan
        return features

    def _column(self, cells: NDArray[Any], there: NDArray[np.bool_], j: int) -> NDArray[np.float64]:
        where = {category: k for k, category in enumerate(self.categories[j])}
        codes = np.array([where.get(cell, -1) for cell in cells.tolist()], dtype=np.intp)
        unseen = sorted({str(cell) for cell in cells[there & (codes < 0)].tolist()})
        if unseen:
            warnings.warn(
                f"column {self.columns[j]!r}: {', '.join(unseen[:5])} not seen in training: none of its categories.",
                UserWarning,
                stacklevel=4,
            )
        features = np.zeros((len(cells), len(where)))
        rows = np.flatnonzero(codes >= 0)
        features[rows, codes[rows]] = 1.0
        return features


def _sorted(categories: set[str | None]) -> tuple[str | None, ...]:
    named = sorted(category for category in categories if category is not None)
    return (*named, None) if None in categories else tuple(named)


def _numbered(columns: int) -> tuple[str, ...]:
    return tuple(map(str, range(columns)))
