"""What goes wrong with features of a sensor or a table. Vectors are float64 ``[D]``.

`scale` ``[D]`` and `center` ``[D]`` are each feature's standard deviation and mean over the training samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "feature_dropout",
    "feature_gain",
    "feature_gaussian",
    "feature_salt_and_pepper",
    "feature_stuck",
    "zeroed",
]

Vector = NDArray[np.float64]

EXTREME = 3.0
"""Ends of a sensor's range, in training standard deviations from its mean."""


def feature_gaussian(x: Vector, rng: np.random.Generator, *, sigma: float, scale: Vector) -> Vector:
    """Give ``x + sigma scale n``, ``n ~ N(0, 1)`` for each feature."""
    return x + sigma * scale * rng.standard_normal(x.shape)


def feature_salt_and_pepper(
    x: Vector, rng: np.random.Generator, *, rate: float, scale: Vector, center: Vector
) -> Vector:
    """Each feature jumps to an end of its range, ``center +- 3 scale``, with probability ``rate / 2`` each."""
    draw = rng.random(x.shape)
    end = np.where(draw < rate / 2, -EXTREME, EXTREME)
    return np.where(draw < rate, center + end * scale, x)


def feature_gain(x: Vector, rng: np.random.Generator, *, gain: float) -> Vector:
    """Give ``gain x``; draws nothing."""
    return gain * x


def feature_stuck(x: Vector, rng: np.random.Generator, *, rate: float, scale: Vector, center: Vector) -> Vector:
    """Hold `rate` of the features at one reading each, drawn from ``center +- 3 scale``, whatever is measured.

    A fault of the sensor, not of the sample: `rng` must be the same for all samples of a modality.
    """
    features = rng.permutation(len(x))[: round(rate * len(x))]
    reading = center + scale * rng.uniform(-EXTREME, EXTREME, len(x))
    stuck = x.copy()
    stuck[features] = reading[features]
    return stuck


def feature_dropout(x: Vector, rng: np.random.Generator, *, rate: float) -> Vector:
    """Each feature becomes 0 with probability `rate`."""
    return np.where(rng.random(x.shape) < rate, 0.0, x)


def zeroed(x: Vector, rng: np.random.Generator) -> Vector:
    """All zero, also for sound; draws nothing."""
    return np.zeros_like(x)
