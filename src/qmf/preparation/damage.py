"""Damaged copies of raw samples: corruptions before the encoder, for evaluation and for people to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.corruptions import (
    CORRUPTIONS,
    PAPER_NOISES,
    corrupt,
    corrupt_vectors,
    paper_corrupt,
    paper_hit,
    swap_partner,
)
from qmf.data import FILE_TYPES, RawModality, RawSamples, Unreadable
from qmf.errors import ConfigError
from qmf.randomness import keyed_generator

__all__ = ["CorruptedFile", "Damage", "damaged"]

_MOVES = ("absent", "swapped", "conflict")

Spread = tuple[NDArray[np.floating], NDArray[np.floating]]


@dataclass(frozen=True)
class Damage:
    """What is done to one modality.

    Attributes
    ----------
    name : str
        A key of `qmf.corruptions.CORRUPTIONS`; or absent, swapped (with any other sample's), conflict (with that of a
        sample of another class); or one of `qmf.corruptions.PAPER_NOISES`, which hit half of the samples.
    severity : float
        1 to 5; the paper's epsilon, 0 to 10, for its noises; not used by absent, swapped and conflict.
    rate : float
        Share of the samples it is done to; who, is keyed by (seed, sample, modality).
    """

    name: str
    severity: float = 3
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in CORRUPTIONS and self.name not in _MOVES and self.name not in PAPER_NOISES:
            known = ", ".join([*_MOVES, *PAPER_NOISES, *CORRUPTIONS])
            raise ConfigError(f"no corruption {self.name!r}; known: {known}.")
        if self.name in PAPER_NOISES:
            if not 0 <= self.severity <= 10 or not 0 <= self.rate <= 1:
                raise ConfigError(f"epsilon={self.severity}, rate={self.rate}: expected 0 to 10, and 0 to 1.")
        elif self.severity not in range(1, 6) or not 0 <= self.rate <= 1:
            raise ConfigError(f"severity={self.severity}, rate={self.rate}: expected 1 to 5, and 0 to 1.")

    @classmethod
    def parse(cls, text: str) -> Damage:
        """Read ``name``, ``name:severity`` or ``name:severity:rate``.

        Raises
        ------
        ConfigError
            If it is none of these.

        Examples
        --------
        >>> Damage.parse("gaussian_noise:5")
        Damage(name='gaussian_noise', severity=5, rate=1.0)
        """
        name, *numbers = text.split(":")
        try:
            severity = float(numbers[0]) if numbers else 3.0
            rate = float(numbers[1]) if len(numbers) > 1 else 1.0
        except ValueError as error:
            raise ConfigError(f"{text!r}: expected NAME, NAME:SEVERITY or NAME:SEVERITY:RATE.") from error
        return cls(name, int(severity) if severity.is_integer() else severity, rate)


@dataclass(frozen=True)
class CorruptedFile:
    """A picture or sound that is corrupted when it is read: light, picklable, the same in every process.

    Attributes
    ----------
    source : path, bytes, array or `CroppedFile`
        What is corrupted.
    kind, name, severity, seed, sample_id, modality
        As in `qmf.corruptions.corrupt`.
    """

    source: Any
    kind: str
    name: str
    severity: float
    seed: int
    sample_id: str
    modality: str

    @property
    def key(self) -> str:
        """What, beside the source, decides the content."""
        return repr((self.kind, self.name, self.severity, self.seed, self.sample_id, self.modality))

    def apply(self, opened: Any, sample_rate: float | None = None) -> Any:
        """Corrupt the opened source: a PIL image, or a waveform [T]."""
        if self.kind == "image" and opened.mode not in ("RGB", "L"):
            opened = opened.convert("RGB")
        owner: dict[str, Any] = {"seed": self.seed, "sample_id": self.sample_id, "modality": self.modality}
        if self.name in PAPER_NOISES:
            return paper_corrupt(opened, epsilon=self.severity, **PAPER_NOISES[self.name], **owner)
        return corrupt(opened, self.name, int(self.severity), kind=self.kind, sample_rate=sample_rate, **owner)


def damaged(
    raw: RawSamples, damages: Mapping[str, Damage], *, seed: int, spreads: Mapping[str, Spread] | None = None
) -> RawSamples:
    """Give a damaged copy of samples. Each copy belongs to (seed, sample id, modality, damage) alone.

    Parameters
    ----------
    raw : RawSamples
        The samples.
    damages : mapping of str to Damage
        By modality; others stay as they are, as does what is absent.
    seed : int
        Key of all draws.
    spreads : mapping of str to (ndarray [D], ndarray [D]), optional
        Mean and standard deviation of a modality's numbers over the training samples; by default, over `raw`.

    Returns
    -------
    RawSamples
        With files that are corrupted when they are read.

    Raises
    ------
    ConfigError
        If a modality is unknown, a corruption does not fit its type, or "conflict" has no labels to go by.
    DataError
        If a value is not what its type promises.
    """
    unknown = [name for name in damages if name not in raw.modalities]
    if unknown:
        raise ConfigError(f"{raw.source}: no modality {unknown[0]!r}; there are {', '.join(raw.modalities)}.")
    modalities = dict(raw.modalities)
    for name, damage in damages.items():
        modalities[name] = _damaged(raw, name, damage, seed, (spreads or {}).get(name))
    return replace(raw, modalities=modalities, origin=replace(raw.origin, ids=raw.ids))


def _damaged(raw: RawSamples, name: str, damage: Damage, seed: int, spread: Spread | None) -> RawModality:
    modality, ids = raw.modalities[name], raw.ids
    draws = [keyed_generator(seed, "damage", damage.name, str(key), name).random() for key in ids.tolist()]
    rows = np.flatnonzero(modality.present & (np.array(draws) < damage.rate))
    if damage.name in PAPER_NOISES:
        rows = _hit_by_paper(modality, name, damage, rows, ids, seed)
    if damage.name in _MOVES:
        return _moved(raw, name, damage, rows, seed)
    if isinstance(modality.values, np.ndarray):
        return _damaged_cells(modality, damage, rows, ids, name, seed, spread)
    values = list(modality.values)
    for i in rows.tolist():
        if isinstance(values[i], Unreadable):
            continue
        given = CorruptedFile(values[i], modality.type, damage.name, damage.severity, seed, str(ids[i]), name)
        values[i] = given if modality.type in FILE_TYPES else given.apply(values[i])
    return replace(modality, values=values)


def _hit_by_paper(
    modality: RawModality, name: str, damage: Damage, rows: NDArray[np.intp], ids: NDArray[np.str_], seed: int
) -> NDArray[np.intp]:
    """Leave what the protocol does not touch as it is, so that its features come from the cache."""
    of_text = PAPER_NOISES[damage.name]["noise"] == "blank_words"
    if modality.type not in (("text",) if of_text else ("image", "depth")):
        raise ConfigError(f"modality {name!r}: {damage.name!r} is for {'text' if of_text else 'pictures'}.")
    hit = [i for i in rows.tolist() if damage.severity and paper_hit(seed, str(ids[i]), name)]
    return np.array(hit, dtype=np.intp)


def _damaged_cells(
    modality: RawModality,
    damage: Damage,
    rows: NDArray[np.intp],
    ids: NDArray[np.str_],
    name: str,
    seed: int,
    spread: Spread | None,
) -> RawModality:
    x = modality.values
    if x.dtype == object or np.isnan(x[modality.present]).any():
        raise ConfigError(f"modality {name!r}: {damage.name!r} is for vectors; categories and gaps can be absent only.")
    there, chosen = x[modality.present], np.zeros(len(x), dtype=bool)
    chosen[rows] = True
    center, scale = spread or (there.mean(axis=0), there.std(axis=0))
    options: dict[str, Any] = {"scale": scale, "center": center, "rows": chosen}
    corrupted = corrupt_vectors(
        x, damage.name, int(damage.severity), seed=seed, sample_ids=ids, modality=name, **options
    )
    return replace(modality, values=corrupted)


def _moved(raw: RawSamples, name: str, damage: Damage, rows: NDArray[np.intp], seed: int) -> RawModality:
    modality = raw.modalities[name]
    values = modality.values.copy() if isinstance(modality.values, np.ndarray) else list(modality.values)
    if damage.name == "absent":
        for i in rows.tolist():
            values[i] = None if not isinstance(values, np.ndarray) or values.dtype == object else np.nan
        return replace(modality, values=values)
    having = np.flatnonzero(modality.present)
    labels = None if raw.labels is None else raw.labels[having]
    other = damage.name == "conflict"
    partner = swap_partner(raw.ids[having], labels if other else None, seed=seed, modality=name, other_class=other)
    source = dict(zip(having.tolist(), having[partner].tolist(), strict=True))
    for i in rows.tolist():
        values[i] = modality.values[source[i]]
    return replace(modality, values=values)
