"""Bringing new samples into the shape of those a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.raw import RawSamples
from qmf.data.samples import Samples
from qmf.errors import DataError
from qmf.randomness import keyed_generator

__all__ = ["encode_labels", "holdout_split", "match_modalities"]


def match_modalities(samples: Samples, widths: Mapping[str, int]) -> Samples:
    """Give the samples with the modalities of training, in its order; those left out are absent.

    Parameters
    ----------
    samples : Samples
        New samples.
    widths : mapping of str to int
        Modalities of training, in order, with their number of features.

    Returns
    -------
    Samples
        With exactly those modalities.

    Raises
    ------
    DataError
        If a modality is unknown or has another number of features, or a sample is left with no modality.
    """
    unknown = [name for name in samples.modalities if name not in widths]
    if unknown:
        raise DataError(
            f"{samples.source}: modality {unknown[0]!r} was not in training; expected some of {', '.join(widths)}."
        )
    for name, x in samples.features.items():
        if x.shape[1] != widths[name]:
            raise DataError(
                f"{samples.source}: X has {x.shape[1]} features in modality {name!r}, but QMFClassifier is expecting"
                f" {widths[name]} features as input."
            )
    if samples.modalities == tuple(widths):
        return samples
    n = len(samples)
    features = {name: samples.features.get(name, np.zeros((n, width), np.float32)) for name, width in widths.items()}
    given = {name: samples.present[:, m] for m, name in enumerate(samples.modalities)}
    present = np.stack([given.get(name, np.zeros(n, dtype=bool)) for name in widths], axis=1)
    return Samples(features, present, samples.ids, samples.labels, samples.source)


def encode_labels(samples: Samples | RawSamples, classes: NDArray[Any]) -> NDArray[np.int64]:
    """Give labels as positions in `classes`.

    Parameters
    ----------
    samples : Samples or RawSamples
        Labelled samples.
    classes : ndarray [K]
        Class labels of training.

    Returns
    -------
    ndarray [N], int64
        Positions 0..K-1.

    Raises
    ------
    DataError
        If there are no labels, or one was not there in training.
    """
    if samples.labels is None:
        raise DataError(f"{samples.source} has no labels: they are needed here.")
    where = {label: k for k, label in enumerate(classes.tolist())}
    # A CSV file has no types: one whose labels all look like integers may belong to a training set where some did not.
    labels = samples.labels.astype(str) if classes.dtype.kind == "U" else samples.labels
    codes = np.array([where.get(label, -1) for label in labels.tolist()], dtype=np.int64)
    for row in np.flatnonzero(codes < 0)[:1]:
        raise DataError(
            f"{samples.source}: sample {str(samples.ids[row])!r} has the label {samples.labels.tolist()[row]!r}, unseen"
            f" in training; expected one of {', '.join(map(repr, classes.tolist()[:20]))}."
        )
    return codes


def holdout_split(target: NDArray[np.int64], fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split samples, class by class, into those to train on and those held out.

    Parameters
    ----------
    target : ndarray [N], int64
        Classes.
    fraction : float in [0, 1)
        Share of each class to hold out, rounded down: a class too small for it gives none.
    seed : int
        Key of the choice.

    Returns
    -------
    kept, held : ndarray of int64
        Positions, in order.
    """
    held = np.zeros(len(target), dtype=bool)
    for k in np.unique(target):
        members = np.flatnonzero(target == k)
        chosen = keyed_generator(seed, "validation", int(k)).permutation(members)[: int(fraction * len(members))]
        held[chosen] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
