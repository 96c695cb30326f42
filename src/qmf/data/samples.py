"""Samples in memory: the one structure that files, data frames and arrays become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qmf.data.labels import checked_ids, checked_labels, require_length
from qmf.data.origin import Origin, nearest_name
from qmf.data.presence import presence_of, require_some_modality
from qmf.data.vectors import as_matrix
from qmf.data.views import Matrix, View, frame_views, matrix_views, require_names
from qmf.errors import ConfigError, DataError

__all__ = ["Samples", "assemble", "from_arrays"]


@dataclass(frozen=True)
class Samples:
    """N samples of M modalities, checked: finite numbers, each modality wholly there or wholly absent.

    Attributes
    ----------
    features : dict of str to ndarray [N, D_m], float32
        Modality name to its features; rows of an absent modality are 0.
    present : ndarray [N, M], bool
        True where a modality is there; columns in the order of `features`.
    ids : ndarray [N] of str
        Sample ids.
    labels : ndarray [N] or None
        Integers, strings or booleans; None for samples without labels.
    source : str
        What messages call the samples: "train.csv", "X".

    Raises
    ------
    DataError
        If a sample has no modality at all.
    """

    features: dict[str, NDArray[np.float32]]
    present: NDArray[np.bool_]
    ids: NDArray[np.str_]
    labels: NDArray[Any] | None
    source: str

    def __post_init__(self) -> None:
        require_some_modality(self.present, self._origin())

    def __len__(self) -> int:
        return len(self.present)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the M modalities, in order."""
        return tuple(self.features)

    def take(self, indices: ArrayLike) -> Samples:
        """Give some of the samples.

        Parameters
        ----------
        indices : array-like [n] of int, or [N] of bool
            Which, in the order wanted.

        Returns
        -------
        Samples
            Copies of those n.

        Raises
        ------
        IndexError
            If an index is out of range.
        """
        chosen = np.asarray(indices)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool and len(chosen) == len(self) else chosen.astype(np.intp)
        features = {name: np.asarray(x[chosen]) for name, x in self.features.items()}
        labels = None if self.labels is None else self.labels[chosen]
        return Samples(features, self.present[chosen], np.asarray(self.ids[chosen]), labels, self.source)

    def without(self, *modalities: str) -> Samples:
        """Give the same samples with some modalities declared absent.

        Parameters
        ----------
        *modalities : str
            Their names.

        Returns
        -------
        Samples
            With the same modalities in the same order.

        Raises
        ------
        ConfigError
            If a name is unknown.
        DataError
            If a sample is left with no modality.
        """
        for name in modalities:
            if name not in self.features:
                raise ConfigError(f"{self.source}: no modality {name!r}; {nearest_name(name, self.modalities)}")
        features = {name: np.zeros_like(x) if name in modalities else x for name, x in self.features.items()}
        kept = np.array([name not in modalities for name in self.modalities])
        return replace(self, features=features, present=self.present & kept)

    def with_labels(self, labels: ArrayLike) -> Samples:
        """Give the same samples with other labels; what is absent stays absent.

        Parameters
        ----------
        labels : array-like [N]
            Integers, strings or booleans.

        Returns
        -------
        Samples
            With those labels.

        Raises
        ------
        DataError
            As `from_arrays`, about `y`.
        """
        checked = checked_labels(labels, self._origin(), "y")
        require_length(len(self), checked, "labels (y)", self._origin())
        return replace(self, labels=checked)

    def _origin(self) -> Origin:
        return Origin(self.source, ids=self.ids)


def from_arrays(
    X: Any,
    y: ArrayLike | None = None,
    *,
    views: Mapping[str, View] | None = None,
    ids: ArrayLike | None = None,
    source: str = "X",
) -> Samples:
    """Make samples of what is in memory.

    A row that is NaN throughout, or None in a list, declares the modality absent for that sample. Nothing else is
    understood as missing, and nothing is filled.

    Parameters
    ----------
    X : mapping, data frame or array-like [N, D]
        A mapping of modality name to [N, D_m] or [N] (one number per sample), or to a list of N vectors or None; or a
        data frame of any library that narwhals knows (pandas, polars, pyarrow); or one matrix.
    y : array-like [N], optional
        Labels: integers, strings or booleans; floats that are whole numbers become integers.
    views : mapping of str to columns, optional
        Which columns of a frame or matrix are which modality. For a frame: a name, a pattern such as ``"fou_*"``, or
        a list of them; for a matrix: positions as a list, slice or range. By default all columns are one modality,
        "features".
    ids : array-like [N], optional
        Sample ids, unique; by default "0", "1", ...
    source : str, default "X"
        What messages call the data.

    Returns
    -------
    Samples
        The samples, copied.

    Raises
    ------
    DataError
        If a row of a modality is NaN in part, a number is infinite (also once it is float32), something is no number,
        lengths differ, there are no samples, a sample has no modality at all, a column is missing, an id is there
        twice, or a label is missing.
    ConfigError
        If `views` is given with a mapping, is empty, or is not as described; or X is an empty mapping.

    Notes
    -----
    Time and memory are linear in N times the number of columns; no Python loop over rows but for lists.

    Examples
    --------
    >>> samples = from_arrays({"sound": [[1.0, 2.0], None], "light": [0.5, 0.7]}, ["cat", "dog"])
    >>> samples.present.tolist()
    [[True, True], [False, True]]
    """
    origin = Origin(source)
    if ids is not None:
        origin = replace(origin, ids=checked_ids(ids, origin))
    matrices = _matrices(X, views, origin)
    return assemble(matrices, y, origin, label_name="y")


def assemble(matrices: Mapping[str, Matrix], labels: ArrayLike | None, origin: Origin, *, label_name: str) -> Samples:
    """Make samples of matrices: where every source, in memory or in a file, comes together.

    Parameters
    ----------
    matrices : mapping of str to (ndarray [N, D_m], column names or None)
        Modalities, in order, NaN for "empty".
    labels : array-like [N] or None
        Labels.
    origin : Origin
        Where they came from; with the ids, where the source gives some.
    label_name : str
        What messages call the labels.

    Returns
    -------
    Samples
        The samples.

    Raises
    ------
    DataError
        As `from_arrays`.
    """
    first, n = next((name, len(values)) for name, (values, _) in matrices.items())
    for name, (values, _) in matrices.items():
        if len(values) != n:
            raise DataError(
                f"{origin.source}: modality {name!r} has {len(values)} samples, but {first!r} has {n}; expected as many"
                " in each."
            )
    if n == 0:
        raise DataError(f"{origin.source}: 0 samples; expected at least one.")
    if origin.ids is not None:
        require_length(n, origin.ids, "ids", origin)
    parts = {name: presence_of(values, name, origin, columns) for name, (values, columns) in matrices.items()}
    present = np.stack([there for _, there in parts.values()], axis=1)
    require_some_modality(present, origin)
    checked = None if labels is None else checked_labels(labels, origin, label_name)
    if checked is not None:
        require_length(n, checked, f"labels ({label_name})", origin)
    sample_ids = np.arange(n).astype(np.str_) if origin.ids is None else origin.ids
    return Samples({name: x for name, (x, _) in parts.items()}, present, sample_ids, checked, origin.source)


def _matrices(X: Any, views: Mapping[str, View] | None, origin: Origin) -> dict[str, Matrix]:
    from narwhals.dependencies import is_into_dataframe

    if isinstance(X, Mapping):
        if views is not None:
            raise ConfigError(
                f"{origin.source}: `views` is for a data frame or matrix; a mapping names its modalities."
            )
        require_names(X, origin)
        return {name: (as_matrix(value, name, origin), None) for name, value in X.items()}
    if views is not None:
        require_names(views, origin)
    return frame_views(X, views, origin) if is_into_dataframe(X) else matrix_views(X, views, origin)
