"""Light and weather. Pictures are float64 ``[H, W, C]`` in parts of full range (see `pictures`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["brightness", "contrast", "fog"]

Picture = NDArray[np.float64]

AIRLIGHT = 0.9
"""Grey level of fog itself, in parts of full range."""

FOG_DECAY = 1.7
"""Amplitude of fog's pattern falls with spatial frequency as ``f ** -FOG_DECAY``: larger is smoother."""


def brightness(picture: Picture, rng: np.random.Generator, *, shift: float) -> Picture:
    """Add `shift` to V of HSV, hue and saturation kept: ``x min(V + shift, 1) / V``; negative darkens. No draw."""
    value = picture.max(axis=2, keepdims=True)
    target = np.clip(value + shift, 0.0, 1.0)
    return np.asarray(np.where(value > 0, picture * target / np.where(value > 0, value, 1.0), target))


def contrast(picture: Picture, rng: np.random.Generator, *, factor: float) -> Picture:
    """Pull towards each channel's mean, ``mean + factor (x - mean)``; draws nothing."""
    mean = picture.mean(axis=(0, 1), keepdims=True)
    return np.asarray(mean + factor * (picture - mean))


def fog(picture: Picture, rng: np.random.Generator, *, thickness: float) -> Picture:
    """Koschmieder's law, ``x t + A (1 - t)``, ``t = exp(-thickness f)``, with a cloudy density ``f`` in [0.4, 1]."""
    density = 0.4 + 0.6 * _clouds(picture.shape[0], picture.shape[1], rng)
    passing = np.exp(-thickness * density)[:, :, None]
    return np.asarray(picture * passing + AIRLIGHT * (1.0 - passing))


def _clouds(height: int, width: int, rng: np.random.Generator) -> Picture:
    """Give ``[H, W]`` in [0, 1]: white noise with amplitudes falling as a power of frequency."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None, :] * width)
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    field = np.fft.irfft2(spectrum * np.maximum(frequency, 1.0) ** -FOG_DECAY, s=(height, width))
    return np.asarray((field - field.min()) / (np.ptp(field) or 1.0))
