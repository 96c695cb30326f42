"""Part of a picture file, for data sets that hold two modalities side by side in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["CroppedFile"]


@dataclass(frozen=True)
class CroppedFile:
    """A rectangle of a picture file.

    Attributes
    ----------
    source : pathlib.Path
        The file.
    box : tuple of 4 float
        Left, top, right, bottom, each as a share of width or height, 0 to 1.
    """

    source: Path
    box: tuple[float, float, float, float]

    @property
    def key(self) -> str:
        """What, beside the source, decides the content."""
        return repr(self.box)

    def apply(self, picture: Image) -> Image:
        """Give the rectangle of the opened file."""
        width, height = picture.size
        left, top, right, bottom = self.box
        return picture.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))
