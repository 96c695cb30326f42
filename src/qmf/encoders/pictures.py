"""Reading pictures and depth maps: from a file to the square of bytes that an image encoder takes.

Needs Pillow and NumPy, not torch: worker processes do this.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qmf.errors import ConfigError, DataError, MissingDependencyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["DepthReader", "ImageReader", "opened"]

Fit = Literal["squash", "crop"]
MAX_PIXELS = 100_000_000
_DEEP = ("I", "I;16", "I;16B", "I;16L", "F")  # modes of one channel, of more than 8 bits
_HOLE = 0.5  # a pixel of which less than this share was measured is a hole


@dataclass(frozen=True)
class ImageReader:
    """Reads a colour picture as a square.

    Parameters
    ----------
    size : int
        Pixels on each side.
    fit : {"squash", "crop"}
        Whether the whole picture is squashed into the square, or its central square is taken.
    max_pixels : int
        A picture of more is refused before it is decoded.
    """

    size: int = 224
    fit: Fit = "squash"
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        _check(self.size, self.fit)

    def __call__(self, value: Any) -> NDArray[np.uint8]:
        """Read one picture.

        Parameters
        ----------
        value : path, bytes, uint8 ndarray [H, W] or [H, W, 3], PIL image, or a change of one
            Palettes, grey and CMYK become RGB, transparency is laid on white, EXIF orientation is applied.

        Returns
        -------
        ndarray [size, size, 3], uint8
            RGB.

        Raises
        ------
        DataError
            If it cannot be read, saying why.
        """
        import numpy as np

        with opened(value, self.max_pixels) as picture:
            picture = _as_rgb(picture)
            box = _central_square(*picture.size) if self.fit == "crop" else None
            return np.asarray(picture.resize((self.size, self.size), 3, box=box))  # 3: bicubic


@dataclass(frozen=True)
class DepthReader:
    """Reads a depth map of one to three channels as a square; holes (0 or NaN) stay holes.

    Parameters
    ----------
    size : int
        Pixels on each side.
    fit : {"squash", "crop"}
        As in `ImageReader`.
    max_depth : float, optional
        What becomes 255; by default the largest number of the file's type (255, 65535). Floats need it.
    max_pixels : int
        As in `ImageReader`.
    """

    size: int = 224
    fit: Fit = "squash"
    max_depth: float | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        _check(self.size, self.fit)
        if self.max_depth is not None and not 0 < self.max_depth < float("inf"):
            raise ConfigError(
                f"max_depth={self.max_depth}: expected a positive number, in the units of the depth maps."
            )

    def __call__(self, value: Any) -> NDArray[np.uint8]:
        """Read one depth map.

        Parameters
        ----------
        value : as for `ImageReader`, arrays also uint16 or float
            One channel is repeated three times; two get a third of zeros.

        Returns
        -------
        ndarray [size, size, 3], uint8
            0 where nothing was measured; what was is at least 1.

        Raises
        ------
        DataError
            If it cannot be read, saying why.
        """
        import numpy as np

        depth = self._scaled(value)
        channels = [_resized_with_holes(depth[..., c], self.size, self.fit) for c in range(depth.shape[2])]
        if len(channels) == 2:
            channels.append(np.zeros_like(channels[0]))
        return np.stack(channels if len(channels) == 3 else channels * 3, axis=2)

    def _scaled(self, value: Any) -> NDArray[np.float32]:
        """Give [H, W, C] with 0 for holes and 1..255 elsewhere."""
        import numpy as np

        if isinstance(value, np.ndarray):
            array = value
        else:
            with opened(value, self.max_pixels) as picture:
                if picture.mode not in ("L", "RGB", *_DEEP):
                    picture = picture.convert("RGB")
                array = np.asarray(picture)
        array = array[..., None] if array.ndim == 2 else array
        if array.ndim != 3 or not array.size or array.shape[2] > 3 or array.dtype.kind not in "uif":
            raise DataError(f"a depth map of shape {array.shape} and type {array.dtype}; expected 1 to 3 channels")
        highest = self.max_depth or {"uint8": 255.0, "uint16": 65535.0, "int32": 65535.0}.get(array.dtype.name)
        if highest is None:
            raise DataError(f"a depth map of type {array.dtype}: say max_depth, the depth that becomes 255")
        there = np.isfinite(array) & (array > 0)
        scaled = np.where(there, array, 0).astype(np.float32) * np.float32(255.0 / highest)
        return np.where(there, np.clip(scaled, 1, 255), 0).astype(np.float32)


@contextmanager
def opened(value: Any, max_pixels: int = MAX_PIXELS) -> Iterator[Image]:
    """Open and decode a picture, whole or not at all.

    Parameters
    ----------
    value : path, bytes, uint8 ndarray, PIL image, or a change of one (`CroppedFile`, `CorruptedFile`)
        The picture.
    max_pixels : int
        A picture of more is refused from its header.

    Yields
    ------
    PIL image
        Decoded, EXIF orientation applied.

    Raises
    ------
    DataError
        If it cannot be read: a folder, a dangling link, empty, no picture, truncated, too large.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError('pictures need Pillow, not installed here: pip install "qmf[image]"') from error
    import numpy as np

    if isinstance(value, np.ndarray):
        yield _of_array(value)
    elif isinstance(value, Image.Image):
        yield _decoded(value, "a PIL image", max_pixels)
    elif hasattr(value, "apply") and hasattr(value, "source"):
        with opened(value.source, max_pixels) as whole:
            yield value.apply(whole)
    else:
        source, name = _source(value)
        with _named(name):
            picture = Image.open(source)
        with picture:
            yield _decoded(picture, name, max_pixels)


def _decoded(picture: Image, name: str, max_pixels: int) -> Image:
    """Decode what is open, if it is not too large, and turn it upright."""
    from PIL import ImageOps

    width, height = picture.size
    if width * height > max_pixels:
        raise DataError(f"{name}: {width} x {height} pixels, more than {max_pixels:,}")
    with _named(name):
        picture.load()
        return ImageOps.exif_transpose(picture)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Make a `DataError` of what Pillow raises; on broken files its decoders raise nearly anything."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    except MemoryError:
        raise
    except Exception as error:
        what = "too large a picture" if isinstance(error, Image.DecompressionBombError) else "not a whole picture"
        raise DataError(f"{name}: {what}: {_reason(error)}") from error


def _source(value: Any) -> tuple[Any, str]:
    if isinstance(value, bytes):
        if not value:
            raise DataError("0 bytes where a picture belongs")
        return io.BytesIO(value), "a picture given as bytes"
    if not isinstance(value, str | os.PathLike):
        raise DataError(f"a {type(value).__name__} where a picture belongs: give a path, bytes, an array")
    path = Path(value)
    try:
        if path.is_dir():
            raise DataError(f"{path}: a folder where a picture belongs")
        if not path.exists():
            reason = "a link to a file that does not exist" if path.is_symlink() else "no such file"
            raise DataError(f"{path}: {reason}")
        if not path.stat().st_size:
            raise DataError(f"{path}: empty (0 bytes)")
    except OSError as error:  # no permission, too long a name
        raise DataError(f"{str(path)[:200]}: {error.strerror}") from error
    return path, str(path)


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return "of no format that Pillow knows" if text.startswith("cannot identify") else text or type(error).__name__


def _of_array(array: NDArray[Any]) -> Image:
    import numpy as np
    from PIL import Image

    if array.dtype != np.uint8 or not array.size or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise DataError(f"an array of shape {array.shape} and type {array.dtype}; expected uint8 [H, W] or [H, W, 3]")
    return Image.fromarray(array)


def _as_rgb(picture: Image) -> Image:
    import numpy as np
    from PIL import Image

    if picture.mode in _DEEP:  # first: converting one to RGBA would clip it to white
        grey = np.clip(np.asarray(picture, dtype=np.float32) / 256, 0, 255)
        return Image.fromarray(np.nan_to_num(grey).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        colour = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour).convert("RGB")
    with _named(f"a picture of mode {picture.mode}"):
        return picture if picture.mode == "RGB" else picture.convert("RGB")


def _central_square(width: int, height: int) -> tuple[float, float, float, float]:
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _resized_with_holes(depth: NDArray[np.float32], size: int, fit: Fit) -> NDArray[np.uint8]:
    """Resize what was measured and where: the mean over the measured, holes where less than half was."""
    import numpy as np
    from PIL import Image

    height, width = depth.shape
    box = _central_square(width, height) if fit == "crop" else (0, 0, width, height)

    def resized(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(Image.fromarray(values).resize((size, size), 2, box=box))  # 2: bilinear, never overshoots

    share = resized((depth > 0).astype(np.float32))
    value = resized(depth) / np.maximum(share, 1e-6)
    return np.where(share >= _HOLE, np.clip(np.rint(value), 1, 255), 0).astype(np.uint8)


def _check(size: int, fit: str) -> None:
    if size < 1 or fit not in ("squash", "crop"):
        raise ConfigError(f"size={size}, fit={fit!r}: expected a positive size and 'squash' or 'crop'.")
