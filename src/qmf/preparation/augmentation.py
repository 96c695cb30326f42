"""Damage as training augmentation: damaged copies of the training samples beside the samples themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from qmf.data import RawModality, RawSamples, Samples
from qmf.data.origin import Origin
from qmf.errors import ConfigError
from qmf.preparation.damage import Damage, damaged

__all__ = ["damaged_copies", "vectors_as_raw", "with_copies"]

Augmentation = Sequence[Mapping[str, str]]


def damaged_copies(raw: RawSamples, augmentation: Augmentation, *, seed: int) -> list[RawSamples]:
    """Give a damaged copy of all samples for each entry; ids end in ``#1``, ``#2``, ...

    Parameters
    ----------
    raw : RawSamples
        The samples that are trained on, and no others: not those that choose the best epoch.
    augmentation : sequence of mapping of str to str
        What each copy suffers: modality to ``NAME[:SEVERITY[:RATE]]``, see `Damage.parse`.
    seed : int
        Key of all draws.

    Returns
    -------
    list of RawSamples
        One for each entry.

    Raises
    ------
    ConfigError
        If it is not as described, or a damage does not fit.
    """
    copies = []
    for number, entry in enumerate(augmentation, start=1):
        if not isinstance(entry, Mapping) or not entry:
            raise ConfigError(
                f"augmentation[{number - 1}] is {entry!r}: expected a mapping from modality to NAME[:SEVERITY[:RATE]]."
            )
        damages = {name: Damage.parse(str(text)) for name, text in entry.items()}
        ids = np.array([f"{key}#{number}" for key in raw.ids.tolist()])
        named = replace(raw, origin=replace(raw.origin, ids=ids))
        copies.append(damaged(named, damages, seed=seed))
    return copies


def vectors_as_raw(samples: Samples) -> RawSamples:
    """Give vectors as raw samples, NaN where a modality is absent."""
    modalities = {}
    for m, (name, x) in enumerate(samples.features.items()):
        values = x.astype(np.float64)
        values[~samples.present[:, m]] = np.nan
        modalities[name] = RawModality("vector", values)
    return RawSamples(modalities, samples.labels, Origin(samples.source, ids=samples.ids))


def with_copies(samples: Samples, raw: list[RawSamples], prepare: Callable[[RawSamples], Samples]) -> Samples:
    """Give samples followed by their prepared copies; labels are those of `samples`.

    Parameters
    ----------
    samples : Samples
        N.
    raw : list of RawSamples
        From `damaged_copies`, N each, in the same order.
    prepare : callable
        From raw samples to vectors.

    Returns
    -------
    Samples
        ``N (1 + len(raw))``.
    """
    parts = [samples, *(replace(prepare(copy), labels=samples.labels) for copy in raw)]
    features = {name: np.concatenate([part.features[name] for part in parts]) for name in samples.features}
    labels = None if samples.labels is None else np.concatenate([samples.labels] * len(parts))
    present, ids = (np.concatenate([getattr(part, what) for part in parts]) for what in ("present", "ids"))
    return Samples(features, present, ids, labels, samples.source)
