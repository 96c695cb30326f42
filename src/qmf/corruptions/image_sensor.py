"""What a camera or its file loses: compression, things in the way, holes, no signal. NaN means "no reading"."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from qmf.corruptions.pictures import pillow

__all__ = ["dead_sensor", "depth_holes", "jpeg", "occlusion"]

Picture = NDArray[np.float64]

HOLE_SIZE = 0.03
"""Width of depth holes, in parts of the shorter side."""


def jpeg(picture: Picture, rng: np.random.Generator, *, quality: float) -> Picture:
    """Compress with JPEG at `quality`, as Pillow does it; draws nothing. Bytes may differ between libjpeg builds."""
    image = pillow()
    levels = np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8)
    file = io.BytesIO()
    image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels).save(file, "JPEG", quality=round(quality))
    return np.asarray(image.open(file)).reshape(picture.shape) / 255.0


def occlusion(picture: Picture, rng: np.random.Generator, *, area: float) -> Picture:
    """Hide one rectangle of the picture's own proportions, somewhere, that covers `area` of it."""
    height, width = picture.shape[:2]
    rows, columns = round(height * area**0.5), round(width * area**0.5)
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    hidden = picture.copy()
    hidden[top : top + rows, left : left + columns] = np.nan
    return hidden


def depth_holes(picture: Picture, rng: np.random.Generator, *, rate: float) -> Picture:
    """Lose `rate` of the readings in blots: where a smooth normal field is below its `rate` quantile."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.standard_normal(picture.shape[:2]), HOLE_SIZE * min(picture.shape[:2]))
    lost = np.argsort(field, axis=None)[: round(rate * field.size)]
    holed = picture.copy()
    holed.reshape(-1, picture.shape[2])[lost] = np.nan
    return holed


def dead_sensor(picture: Picture, rng: np.random.Generator) -> Picture:
    """No reading anywhere: a black image, a depth map that is one hole. Draws nothing."""
    return np.full_like(picture, np.nan)
