"""Modalities that belong to another sample: mixed-up records, conflicting views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.errors import ConfigError, DataError
from qmf.randomness import derive_seed

__all__ = ["swap_partner"]


def swap_partner(
    sample_ids: Sequence[str] | NDArray[Any],
    labels: Sequence[Any] | NDArray[Any] | None = None,
    *,
    seed: int,
    modality: str,
    other_class: bool = False,
) -> NDArray[np.int64]:
    """Give each sample another one, whose modality to take in place of its own.

    Samples stand on a circle at places keyed by (seed, modality, id). Each starts from a second keyed place and takes
    the first sample from there on that is not itself (or, with `other_class`, not of its class). So the partner
    depends on the set of samples but not on their order, and few partners change when a sample is added.

    Parameters
    ----------
    sample_ids : sequence of N str
        The samples that have the modality, all different.
    labels : sequence of N, optional
        Classes, for `other_class`.
    seed : int
        The user's seed.
    modality : str
        Its name.
    other_class : bool, default False
        Whether the partner must be of another class: a conflict, as in RCML.

    Returns
    -------
    ndarray [N], int64
        Index of the partner; a sample may be the partner of several or of none.

    Raises
    ------
    ConfigError
        If `other_class` is asked for without labels.
    DataError
        If ids repeat, labels are not N, or there is no other sample or no other class.

    Notes
    -----
    O(N log N).

    References
    ----------
    Xu et al., Reliable Conflictive Multi-View Learning, AAAI 2024, section 4: conflicting views.

    Examples
    --------
    >>> swap_partner(["a", "b"], seed=0, modality="text")
    array([1, 0])
    """
    ids = [str(sample) for sample in sample_ids]
    if len(set(ids)) < len(ids):
        raise DataError(f"Modality {modality!r}: sample ids must differ to swap; {len(ids) - len(set(ids))} repeat.")
    if other_class and labels is None:
        raise ConfigError("Swapping with another class needs labels.")
    groups = np.unique(np.asarray(labels), return_inverse=True)[1] if other_class else np.arange(len(ids))
    if len(groups) != len(ids):
        raise DataError(f"Modality {modality!r}: {len(ids)} samples but {len(groups)} labels.")
    if len(set(groups.tolist())) < 2:
        what = "classes" if other_class else "samples"
        raise DataError(f"Modality {modality!r}: at least two {what} are needed to swap.")
    places = np.array([derive_seed(seed, "swap", "place", sample, str(modality)) for sample in ids])
    starts = np.array([derive_seed(seed, "swap", "start", sample, str(modality)) for sample in ids])
    circle = np.argsort(places)
    first = np.searchsorted(places[circle], starts) % len(ids)
    around = groups[circle]
    at = np.where(around[first] != groups, first, _next_other(around)[first])
    return circle[at].astype(np.int64)


def _next_other(around: NDArray[Any]) -> NDArray[np.int64]:
    """Give, for each place ``[N]`` of a circle, the first place after it with another value."""
    size = len(around)
    following = np.empty(size, dtype=np.int64)
    for i in range(2 * size - 1, -1, -1):
        here, after = i % size, (i + 1) % size
        following[here] = after if around[here] != around[after] else following[after]
    return following
