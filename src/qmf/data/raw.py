"""Samples as people have them: paths, texts, numbers and categories, before any encoder has seen them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qmf.data.origin import Origin, nearest_name
from qmf.errors import ConfigError, DataError

__all__ = ["FILE_TYPES", "TYPES", "RawModality", "RawSamples", "Unreadable", "file_or_absent"]

FILE_TYPES = ("image", "depth", "audio")
TYPES = (*FILE_TYPES, "text", "numeric", "categorical", "vector")


@dataclass(frozen=True)
class Unreadable:
    """Stands in the place of a value that is there and cannot be read.

    Attributes
    ----------
    reason : str
        Why.
    """

    reason: str


@dataclass(frozen=True)
class RawModality:
    """One modality of N samples.

    Attributes
    ----------
    type : str
        One of `TYPES`.
    values : list of N, or ndarray [N, D]
        For image, depth, audio: a `Path`, bytes of a file, or an array; for text: a `str`; None where absent,
        `Unreadable` where known to be damaged. For numeric and vector: float64, NaN where empty. For categorical:
        objects, str or None where empty.
    columns : tuple of str
        Names of the D columns, for messages.
    """

    type: str
    values: Any
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ConfigError(f"type={self.type!r}: expected one of {', '.join(TYPES)}.")

    @property
    def present(self) -> NDArray[np.bool_]:
        """True where the modality is there, [N]: a value, or at least one of its cells."""
        if isinstance(self.values, np.ndarray):
            empty = self.values == None if self.values.dtype == object else np.isnan(self.values)  # noqa: E711
            return np.asarray(~empty.all(axis=1))
        return np.array([value is not None for value in self.values], dtype=bool)

    def take(self, indices: NDArray[np.intp]) -> RawModality:
        """Give the values of some samples."""
        if isinstance(self.values, np.ndarray):
            return replace(self, values=self.values[indices])
        return replace(self, values=[self.values[i] for i in indices.tolist()])


@dataclass(frozen=True)
class RawSamples:
    """N samples of M modalities that no encoder has seen yet.

    Attributes
    ----------
    modalities : dict of str to RawModality
        In order.
    labels : ndarray [N] or None
        Integers, strings or booleans; None for samples without labels.
    origin : Origin
        Where they came from, with their ids if the source gives some.
    """

    modalities: dict[str, RawModality]
    labels: NDArray[Any] | None
    origin: Origin

    def __len__(self) -> int:
        return len(next(iter(self.modalities.values())).values)

    @property
    def source(self) -> str:
        """What messages call the samples."""
        return self.origin.source

    @property
    def ids(self) -> NDArray[np.str_]:
        """Sample ids [N]; "0", "1", ... where the source gives none."""
        return np.arange(len(self)).astype(np.str_) if self.origin.ids is None else self.origin.ids

    def take(self, indices: ArrayLike) -> RawSamples:
        """Give some of the samples, in the order of `indices` [n], or a mask [N]."""
        chosen = np.asarray(indices)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.intp)
        modalities = {name: modality.take(chosen) for name, modality in self.modalities.items()}
        labels = None if self.labels is None else self.labels[chosen]
        positions, locate = chosen.tolist(), self.origin.locate
        origin = replace(self.origin, ids=self.ids[chosen], locate=lambda row: locate(positions[row]))
        return RawSamples(modalities, labels, origin)

    def without(self, *names: str) -> RawSamples:
        """Give the samples without some modalities.

        Raises
        ------
        ConfigError
            If one is unknown.
        """
        for name in names:
            if name not in self.modalities:
                raise ConfigError(f"{self.source}: no modality {name!r}; {nearest_name(name, list(self.modalities))}")
        kept = {name: modality for name, modality in self.modalities.items() if name not in names}
        return replace(self, modalities=kept)


def file_or_absent(cell: Any, folder: Path) -> Path | None:
    """Give the file that a cell names; None where the cell is empty or there is no such file.

    A dangling link and a folder are given as they are: something stands there, and reading it says what is wrong.

    Parameters
    ----------
    cell : str, path-like or None
        A path, relative to `folder` or absolute.
    folder : pathlib.Path
        Usually that of the table.

    Returns
    -------
    pathlib.Path or None
        Where to read.

    Raises
    ------
    DataError
        If the cell is neither text nor a path.
    """
    if cell is None or (isinstance(cell, float) and cell != cell) or (isinstance(cell, str) and not cell.strip()):
        return None
    if not isinstance(cell, str | Path):
        raise DataError(f"{cell!r} ({type(cell).__name__}) where the path of a file belongs.")
    path = folder / cell
    return path if path.exists() or path.is_symlink() else None
