"""What goes wrong with sound. Waveforms are float64 ``[T]``."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["band_limit", "clipping", "dropouts", "noise_snr"]

Wave = NDArray[np.float64]


def noise_snr(wave: Wave, rng: np.random.Generator, *, snr: float) -> Wave:
    """Add white noise of power ``mean(x^2) / 10^(snr / 10)``, so that silence stays silence."""
    sigma = math.sqrt(float(np.mean(wave**2)) / 10.0 ** (snr / 10.0))
    return wave + sigma * rng.standard_normal(wave.shape)


def clipping(wave: Wave, rng: np.random.Generator, *, level: float) -> Wave:
    """Cut off at `level` times the waveform's own peak; draws nothing."""
    limit = level * float(np.abs(wave).max())
    return np.clip(wave, -limit, limit)


def dropouts(wave: Wave, rng: np.random.Generator, *, rate: float, packet: float, sample_rate: float) -> Wave:
    """Lose packets of `packet` seconds, each with probability `rate`: zero in their place."""
    length = max(1, round(packet * sample_rate))
    lost = rng.random(math.ceil(len(wave) / length)) < rate
    return np.where(np.repeat(lost, length)[: len(wave)], 0.0, wave)


def band_limit(wave: Wave, rng: np.random.Generator, *, cutoff: float, sample_rate: float) -> Wave:
    """Remove all frequencies above `cutoff` (by FFT); draws nothing."""
    spectrum = np.fft.rfft(wave)
    spectrum[np.fft.rfftfreq(len(wave), d=1.0 / sample_rate) > cutoff] = 0.0
    return np.fft.irfft(spectrum, n=len(wave))
