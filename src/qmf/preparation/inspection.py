"""Looking at raw samples before any training: what is there, what cannot be read, what leaks between splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qmf.data import FILE_TYPES, RawModality, RawSamples, Unreadable
from qmf.encoders.pictures import DepthReader, ImageReader
from qmf.encoders.sounds import AudioReader
from qmf.errors import DataError
from qmf.feature_cache.content import content_key
from qmf.feature_cache.reading import reading
from qmf.preparation.extent import Extent, described, extent_of
from qmf.preparation.preparation import Problem, Progress

__all__ = ["Inspection", "Leak", "ModalityState", "inspect_samples", "shared_content"]

_READERS: dict[str, Any] = {"image": ImageReader, "depth": DepthReader, "audio": AudioReader}
_BLOCK = 256


@dataclass(frozen=True)
class ModalityState:
    """One modality of some samples.

    Attributes
    ----------
    type : str
        Of the modality.
    present, absent, unreadable : int
        Numbers of samples; `present` counts those that can be read.
    distinct : int
        Different contents among files and texts; for cells of a table, different rows.
    sizes, forms : str
        Smallest to largest, and how they are written; see `qmf.preparation.extent.described`.
    """

    type: str
    present: int
    absent: int
    unreadable: int
    distinct: int
    sizes: str
    forms: str


@dataclass(frozen=True)
class Inspection:
    """What was found in some samples.

    Attributes
    ----------
    source : str
        Which.
    samples : int
        N.
    labels : dict of str to int
        Samples of each class, most frequent first; empty without labels.
    modalities : dict of str to ModalityState
        In order.
    problems : tuple of Problem
        Every value that is there and cannot be read.
    without_modality : tuple of str
        Samples that have nothing at all.
    """

    source: str
    samples: int
    labels: dict[str, int]
    modalities: dict[str, ModalityState]
    problems: tuple[Problem, ...]
    without_modality: tuple[str, ...]


@dataclass(frozen=True)
class Leak:
    """The same content in two places that should not share any.

    Attributes
    ----------
    modality : str
        Its name.
    first, second : str
        Source and sample.
    """

    modality: str
    first: str
    second: str


def inspect_samples(raw: RawSamples, *, workers: int = 0, progress: Progress | None = None) -> Inspection:
    """Open every file and count.

    Parameters
    ----------
    raw : RawSamples
        The samples.
    workers : int, default 0
        Processes that open files.
    progress : callable, optional
        Called with (modality, values done, values in all).

    Returns
    -------
    Inspection
        What was found; nothing is raised for what is wrong with single values.
    """
    states: dict[str, ModalityState] = {}
    problems: list[Problem] = []
    present = np.zeros(len(raw), dtype=bool)
    for name, modality in raw.modalities.items():
        unreadable, extents = _unreadable(name, modality, workers, progress)
        problems += [Problem(i, raw.origin.sample(i), name, why) for i, why in sorted(unreadable.items())]
        there = modality.present.copy()
        absent = int((~there).sum())
        there[list(unreadable)] = False
        present |= there
        distinct = len(set(_keys(modality, np.flatnonzero(there)).values()))
        counts = int(there.sum()), absent, len(unreadable), distinct
        states[name] = ModalityState(modality.type, *counts, *described(modality, extents))
    labels = {} if raw.labels is None else dict(Counter(map(str, raw.labels.tolist())).most_common())
    nothing = tuple(raw.origin.sample(int(i)) for i in np.flatnonzero(~present))
    return Inspection(raw.source, len(raw), labels, states, tuple(problems), nothing)


def shared_content(parts: Mapping[str, RawSamples]) -> list[Leak]:
    """Find pictures, depth maps and sounds whose bytes are in more than one part.

    Parameters
    ----------
    parts : mapping of str to RawSamples
        Splits, for example train and test.

    Returns
    -------
    list of Leak
        One for each sample of a later part whose content an earlier one has.
    """
    leaks: list[Leak] = []
    seen: dict[tuple[str, bytes], tuple[str, str]] = {}
    for part, raw in parts.items():
        for name, modality in raw.modalities.items():
            if modality.type not in FILE_TYPES:
                continue
            for i, key in _keys(modality, np.flatnonzero(modality.present)).items():
                here = f"{part}: {raw.origin.sample(i)}"
                first, first_part = seen.setdefault((name, key), (here, part))
                if first_part != part:
                    leaks.append(Leak(name, first, here))
    return leaks


def _unreadable(
    name: str, modality: RawModality, workers: int, progress: Progress | None
) -> tuple[dict[int, str], list[Extent]]:
    """Give why values cannot be read, by row, and the extents of the files that can."""
    extents: list[Extent] = []
    if isinstance(modality.values, np.ndarray):
        return {}, extents
    found = {i: value.reason for i, value in enumerate(modality.values) if isinstance(value, Unreadable)}
    if modality.type not in _READERS:
        return found, extents
    rows = [i for i, value in enumerate(modality.values) if value is not None and i not in found]
    opens = _Opens(_READERS[modality.type](), modality.type)
    with reading(opens, workers) as read:
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            for i, outcome in zip(block, read([modality.values[i] for i in block]), strict=True):
                if isinstance(outcome, Unreadable):
                    found[i] = outcome.reason
                else:
                    extents.append(outcome)
            if progress is not None:
                progress(name, min(start + _BLOCK, len(rows)), len(rows))
    return found, extents


@dataclass(frozen=True)
class _Opens:
    """Reads a value as training would and gives its extent: what was read need not travel between processes."""

    reader: Any
    kind: str

    def __call__(self, value: Any) -> Extent:
        self.reader(value)
        return extent_of(value, self.kind)


def _keys(modality: RawModality, rows: Any) -> dict[int, bytes]:
    keys: dict[int, bytes] = {}
    for i in rows.tolist():
        value = modality.values[i]
        try:
            keys[i] = repr(value.tolist()).encode() if value.dtype == object else value.tobytes()
        except AttributeError:
            try:
                keys[i] = content_key(value, modality.type)
            except DataError:
                continue
    return keys
