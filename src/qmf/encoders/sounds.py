"""Reading sounds: from a file to the waveform of fixed rate and length that an audio encoder takes.

Needs NumPy, SciPy and soundfile, not torch: worker processes do this.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmf.errors import ConfigError, DataError, MissingDependencyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AudioReader", "read_mono"]


@dataclass(frozen=True)
class AudioReader:
    """Reads a sound: channels averaged, resampled, cut at the end or followed by silence.

    Parameters
    ----------
    sample_rate : int
        Samples per second.
    seconds : float
        Length.
    """

    sample_rate: int = 16_000
    seconds: float = 4.0

    def __post_init__(self) -> None:
        if self.sample_rate < 1 or not self.seconds > 0:
            raise ConfigError(f"sample_rate={self.sample_rate}, seconds={self.seconds}: expected positive numbers.")

    def __call__(self, value: Any) -> NDArray[np.float32]:
        """Read one sound.

        Parameters
        ----------
        value : path, bytes of a file, (float ndarray [T] or [T, C], sample rate), or a change of one
            WAV, FLAC, OGG, MP3: what soundfile reads.

        Returns
        -------
        ndarray [sample_rate * seconds], float32
            The waveform.

        Raises
        ------
        DataError
            If it cannot be read, or holds no samples or numbers that are not finite.
        MissingDependencyError
            If soundfile is not installed.
        """
        import numpy as np

        mono, rate = read_mono(value)
        length = round(self.sample_rate * self.seconds)
        result = np.zeros(length, dtype=np.float32)
        mono = _resampled(mono, rate, self.sample_rate)[:length]
        result[: len(mono)] = mono
        return result


def read_mono(value: Any) -> tuple[NDArray[np.float64], int]:
    """Read a sound whole: its waveform [T], channels averaged, and its sample rate; see `AudioReader`."""
    import numpy as np

    if hasattr(value, "apply") and hasattr(value, "source"):
        waveform, rate = read_mono(value.source)
        return value.apply(waveform, rate), rate
    waveform, rate, name = _given(value) if isinstance(value, tuple) else _read(value)
    if not waveform.size:
        raise DataError(f"{name}: a sound of 0 samples")
    if not np.isfinite(waveform).all():
        raise DataError(f"{name}: holds NaN or infinite numbers")
    mono = waveform.mean(axis=1) if waveform.ndim == 2 else waveform
    return mono.astype(np.float64), rate


def _given(value: tuple[Any, Any]) -> tuple[NDArray[Any], int, str]:
    import numpy as np

    waveform, rate = np.asarray(value[0]), int(value[1])
    if waveform.dtype.kind != "f" or waveform.ndim not in (1, 2) or rate < 1:
        raise DataError(f"a waveform of shape {waveform.shape}, type {waveform.dtype}; expected floats [T] or [T, C]")
    return waveform, rate, "a waveform"


def _read(value: Any) -> tuple[NDArray[Any], int, str]:
    try:
        import soundfile  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingDependencyError('sounds need soundfile, not installed here: pip install "qmf[audio]"') from error
    source, name = _source(value)
    try:
        waveform, rate = soundfile.read(source, dtype="float32")
    except (RuntimeError, OSError, TypeError) as error:
        reason = str(error).rpartition(": ")[2].rstrip(".")
        raise DataError(f"{name}: not a whole sound: {reason}") from error
    return waveform, int(rate), name


def _source(value: Any) -> tuple[Any, str]:
    if isinstance(value, bytes):
        if not value:
            raise DataError("0 bytes where a sound belongs")
        return io.BytesIO(value), "a sound given as bytes"
    if not isinstance(value, str | os.PathLike):
        raise DataError(f"a {type(value).__name__} where a sound belongs: give a path, bytes, (waveform, sample rate)")
    path = Path(value)
    if path.is_dir():
        raise DataError(f"{path}: a folder where a sound belongs")
    if not path.exists():
        raise DataError(f"{path}: {'a link to a file that does not exist' if path.is_symlink() else 'no such file'}")
    if not path.stat().st_size:
        raise DataError(f"{path}: empty (0 bytes)")
    return str(path), str(path)


def _resampled(waveform: NDArray[Any], rate: int, wanted: int) -> NDArray[Any]:
    if rate == wanted:
        return waveform
    from scipy.signal import resample_poly

    ratio = Fraction(wanted, rate)
    resampled: NDArray[Any] = resample_poly(waveform, ratio.numerator, ratio.denominator)
    return resampled
