"""Pictures and depth maps, to and from the form that corruptions work on.

Inside, a picture is float64 ``[H, W, C]`` in parts of full range, and NaN means "no reading". Full range is 255
for uint8; for other depth maps it is the largest reading of the map itself, so that one table of severities fits
millimetres and metres. Holes of a depth map (0 in every channel, or NaN in one) are filled with the nearest reading
before a corruption and are holes again after it, so that blur and noise neither spread nor fill them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.errors import DataError, MissingDependencyError

__all__ = ["as_array", "open_depth", "open_image", "pillow"]

Array = NDArray[Any]
Closer = Callable[[Array], Any]


def pillow() -> Any:
    """Give the module ``PIL.Image``.

    Raises
    ------
    MissingDependencyError
        If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError("This corruption needs Pillow: pip install pillow.") from error
    return Image


def as_array(value: Any, where: str) -> tuple[Array, Closer]:
    """Give a picture as an array, and the function that turns such an array back into what the picture was.

    Parameters
    ----------
    value : ndarray or PIL image
        The picture.
    where : str
        Sample and modality, for messages.

    Returns
    -------
    array : ndarray [H, W] or [H, W, C]
        The pixels, not to be written to.
    close : callable
        Array to array, or array to PIL image of the same mode.

    Raises
    ------
    DataError
        If it is neither, is empty, or has another number of axes.
    """
    module = sys.modules.get("PIL.Image")
    is_pil = module is not None and isinstance(value, module.Image)
    if is_pil and value.mode not in ("RGB", "L", "F", "I;16"):
        raise DataError(f"{where}: PIL mode {value.mode!r} is not supported; convert it to 'RGB' or 'L'.")
    if not is_pil and not isinstance(value, np.ndarray):
        raise DataError(f"{where}: expected a NumPy array or a PIL image, got {type(value).__name__}.")
    array = np.asarray(value)
    if array.ndim not in (2, 3) or array.size == 0:
        raise DataError(f"{where}: expected a picture [H, W] or [H, W, C], got shape {array.shape}.")
    return array, (pillow().fromarray if is_pil else np.asarray)


def open_image(value: Any, where: str) -> tuple[Array, Closer]:
    """Open an image: uint8 ``[H, W, 3]``, ``[H, W]``, or PIL in mode RGB or L.

    Parameters
    ----------
    value : ndarray or PIL image
        The image.
    where : str
        Sample and modality, for messages.

    Returns
    -------
    opened : ndarray [H, W, C], float64
        In ``[0, 1]``, a copy.
    close : callable
        The way back, rounding to the nearest grey level and clipping; NaN becomes black.

    Raises
    ------
    DataError
        If it is not an image as above.
    """
    array, back = as_array(value, where)
    if array.dtype != np.uint8 or (array.ndim == 3 and array.shape[2] != 3):
        expected = "uint8 [H, W, 3] or [H, W], or a PIL image in mode RGB or L"
        raise DataError(f"{where}: expected an image ({expected}), got {array.dtype} {array.shape}.")
    opened = array.reshape(*array.shape[:2], -1) / 255.0
    return opened, partial(_close_image, shape=array.shape, back=back)


def _close_image(result: Array, *, shape: tuple[int, ...], back: Closer) -> Any:
    levels = np.rint(np.clip(np.nan_to_num(result), 0.0, 1.0) * 255.0)
    return back(levels.astype(np.uint8).reshape(shape))


def open_depth(value: Any, where: str) -> tuple[Array, Closer]:
    """Open a depth map: uint8, uint16 or float ``[H, W]`` or ``[H, W, C]``, or PIL in mode L, I;16, F or RGB.

    Parameters
    ----------
    value : ndarray or PIL image
        The map, not negative; 0 in all channels, or NaN in one, is a hole.
    where : str
        Sample and modality, for messages.

    Returns
    -------
    opened : ndarray [H, W, C], float64
        In ``[0, 1]``, a copy, holes filled with the nearest reading (0 if there is none).
    close : callable
        The way back. Old holes get what stood there; new ones get NaN if there was one, else 0.

    Raises
    ------
    DataError
        If it is not a depth map as above.
    """
    array, back = as_array(value, where)
    if array.dtype not in (np.uint8, np.uint16) and not np.issubdtype(array.dtype, np.floating):
        raise DataError(f"{where}: expected depth as uint8, uint16 or float, got {array.dtype}.")
    if np.isinf(array).any() or (array < 0).any():
        raise DataError(f"{where}: depth must be finite or NaN and not negative.")
    readings = np.nan_to_num(array.reshape(*array.shape[:2], -1).astype(np.float64))
    holes = (readings == 0).all(axis=2) | np.isnan(array.reshape(readings.shape)).any(axis=2)
    full = 255.0 if array.dtype == np.uint8 else float(readings.max()) or 1.0
    return _filled(readings, holes) / full, partial(_close_depth, original=array, holes=holes, full=full, back=back)


def _close_depth(result: Array, *, original: Array, holes: Array, full: float, back: Closer) -> Any:
    highest = np.inf if np.issubdtype(original.dtype, np.floating) else np.iinfo(original.dtype).max
    empty = np.nan if np.isnan(original).any() else 0.0
    readings = np.clip(np.where(np.isnan(result), empty, result * full), 0.0, highest)
    if np.isfinite(highest):
        readings = np.rint(readings)
    closed = readings.astype(original.dtype).reshape(original.shape)
    closed[holes] = original[holes]
    return back(closed)


def _filled(readings: Array, holes: Array) -> Array:
    if not holes.any() or holes.all():
        return readings
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(holes, return_distances=False, return_indices=True)
    return np.asarray(readings[rows, columns])
