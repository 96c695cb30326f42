"""Loss of sharpness. Lengths are parts of the shorter side, so severity does not depend on resolution.

Convolution by FFT with mirrored borders, from SciPy; kornia would bring no less code here and is not needed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qmf.corruptions.pictures import pillow

__all__ = ["defocus_blur", "gaussian_blur", "low_resolution", "motion_blur"]

Picture = NDArray[np.float64]


def gaussian_blur(picture: Picture, rng: np.random.Generator, *, sigma: float) -> Picture:
    """Convolve with a Gaussian of standard deviation `sigma`; draws nothing."""
    from scipy.ndimage import gaussian_filter

    pixels = sigma * min(picture.shape[:2])
    return np.asarray(gaussian_filter(picture, (pixels, pixels, 0.0)), dtype=np.float64)


def defocus_blur(picture: Picture, rng: np.random.Generator, *, radius: float) -> Picture:
    """Convolve with a disc of `radius`, its edge one pixel soft; draws nothing."""
    pixels = radius * min(picture.shape[:2])
    reach = math.ceil(pixels)
    offsets = np.arange(-reach, reach + 1)
    distance = np.hypot(offsets[:, None], offsets[None, :])
    return _convolve(picture, np.clip(pixels + 0.5 - distance, 0.0, 1.0))


def motion_blur(picture: Picture, rng: np.random.Generator, *, length: float) -> Picture:
    """Average along a straight line of `length` in a direction drawn from ``[0, pi)``."""
    angle = rng.uniform(0.0, math.pi)
    pixels = length * min(picture.shape[:2])
    steps = np.linspace(-pixels / 2, pixels / 2, max(2, math.ceil(4 * pixels)))
    reach = math.ceil(pixels / 2) + 1
    rows, columns = reach + steps * math.sin(angle), reach + steps * math.cos(angle)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for i, j, share in (
        (0, 0, (1 - down) * (1 - right)),
        (0, 1, (1 - down) * right),
        (1, 0, down * (1 - right)),
        (1, 1, down * right),
    ):
        np.add.at(kernel, (top + i, left + j), share)
    return _convolve(picture, kernel)


def low_resolution(picture: Picture, rng: np.random.Generator, *, factor: float) -> Picture:
    """Average into ``factor H x factor W`` cells and enlarge with bilinear interpolation; draws nothing."""
    image = pillow()
    height, width, channels = picture.shape
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    result = np.empty_like(picture)
    for channel in range(channels):
        plane = image.fromarray(picture[:, :, channel].astype(np.float32))
        coarse = plane.resize(small, image.Resampling.BOX)
        result[:, :, channel] = np.asarray(coarse.resize((width, height), image.Resampling.BILINEAR))
    return result


def _convolve(picture: Picture, kernel: Picture) -> Picture:
    from scipy.signal import fftconvolve

    reach = kernel.shape[0] // 2
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    blurred = fftconvolve(padded, (kernel / kernel.sum())[:, :, None], mode="valid", axes=(0, 1))
    return np.asarray(blurred, dtype=np.float64)
