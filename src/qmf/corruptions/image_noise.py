"""Noise of a picture's pixels. Pictures are float64 ``[H, W, C]`` in parts of full range (see `pictures`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gaussian_noise", "salt_and_pepper", "shot_noise"]

Picture = NDArray[np.float64]


def gaussian_noise(picture: Picture, rng: np.random.Generator, *, sigma: float) -> Picture:
    """Sensor noise in low light, ``x + sigma n``, ``n ~ N(0, 1)`` for each pixel and channel."""
    return picture + sigma * rng.standard_normal(picture.shape)


def shot_noise(picture: Picture, rng: np.random.Generator, *, photons: float) -> Picture:
    """Light comes in grains: ``Poisson(x photons) / photons``, with `photons` at full range."""
    return rng.poisson(picture * photons) / photons


def salt_and_pepper(picture: Picture, rng: np.random.Generator, *, density: float) -> Picture:
    """Each pixel, all channels together, is full or zero with probability ``density / 2`` each."""
    draw = rng.random(picture.shape[:2])
    noisy = picture.copy()
    noisy[draw < density] = 1.0
    noisy[draw < density / 2] = 0.0
    return noisy
