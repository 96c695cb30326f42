"""How large values are and how they are written, as a person would say it: pixels, seconds, words, formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qmf.data import RawModality, Unreadable
from qmf.encoders.pictures import opened
from qmf.encoders.sounds import read_mono

__all__ = ["Extent", "described", "extent_of"]

_MOST = 4


@dataclass(frozen=True)
class Extent:
    """Of one value.

    Attributes
    ----------
    numbers : tuple of float
        Pictures: width, height. Sounds: seconds. Texts: words.
    form : str
        File format and kind of pixels; sample rate; encoding.
    """

    numbers: tuple[float, ...]
    form: str


def extent_of(value: Any, kind: str) -> Extent:
    """Measure a picture, depth map or sound that can be read.

    Parameters
    ----------
    value : as the readers take
        The value.
    kind : str
        image, depth or audio.

    Returns
    -------
    Extent
        Its size.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    if kind == "audio":
        mono, rate = read_mono(value)
        return Extent((len(mono) / rate,), f"{rate} Hz")
    if isinstance(value, np.ndarray):
        return Extent((value.shape[1], value.shape[0]), str(value.dtype))
    with opened(value) as picture:
        return Extent(picture.size, " ".join(filter(None, (_format(value), picture.mode))))


def described(modality: RawModality, extents: Sequence[Extent]) -> tuple[str, str]:
    """Give the sizes of a modality, smallest to largest, and its forms, most frequent first.

    Parameters
    ----------
    modality : RawModality
        All values.
    extents : sequence of Extent
        Of the files that could be read; not used for texts and cells.

    Returns
    -------
    sizes : str
        "320 x 240", "1 to 32 words", "6 numbers"; empty where nothing is there.
    forms : str
        "JPEG RGB 510, PNG L 8".
    """
    if isinstance(modality.values, np.ndarray):
        what = "columns" if modality.type == "categorical" else "numbers"
        return f"{modality.values.shape[1]} {what}", str(modality.values.dtype).replace("object", "text")
    if modality.type == "text":
        texts = [value for value in modality.values if value is not None and not isinstance(value, Unreadable)]
        return _spread([len(str(text).split()) for text in texts], "words"), "UTF-8" if texts else ""
    forms = Counter(extent.form for extent in extents).most_common()
    listed = ", ".join(f"{form} {count}" for form, count in forms[:_MOST])
    listed += f" and {len(forms) - _MOST} more" if len(forms) > _MOST else ""
    if modality.type == "audio":
        return _spread([round(extent.numbers[0], 2) for extent in extents], "s"), listed
    sides = sorted({extent.numbers for extent in extents}, key=lambda side: side[0] * side[1])
    shown = [f"{side[0]:g} x {side[1]:g}" for side in (sides[:1] + sides[-1:] if len(sides) > 1 else sides)]
    return " to ".join(shown), listed


def _spread(numbers: list[Any], unit: str) -> str:
    if not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    return f"{low:g} {unit}" if low == high else f"{low:g} to {high:g} {unit}"


def _format(value: Any) -> str:
    from pathlib import Path

    source = getattr(value, "source", value)
    return Path(source).suffix.lstrip(".").upper().replace("JPG", "JPEG") if isinstance(source, str | Path) else ""
