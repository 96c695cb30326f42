"""Reading sounds: from a file to the waveform of fixed rate and length that an audio encoder takes.

Needs NumPy, SciPy and soundfile, not torch: worker processes do this.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmf.errors import ConfigError, DataError, MissingDependencyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AudioReader", "read_mono"]

MAX_SAMPLES = 1_000_000_000  # of all channels; a header that promises more is refused before memory is taken
_LOUDEST = 1e12  # beyond it the power of a spectrum overflows in float32
_MAX_RATIO = 1_000_000  # the filter of resampling has 20 numbers for each


@dataclass(frozen=True)
class AudioReader:
    """Reads a sound: channels averaged, resampled, cut at the end or followed by silence.

    Parameters
    ----------
    sample_rate : int
        Samples per second, at least 1.
    seconds : float
        Length, at least one sample.

    Raises
    ------
    ConfigError
        If a parameter is below that or not finite.

    Notes
    -----
    A file is always read whole, so that one damaged after the first `seconds` is refused too.

    Examples
    --------
    >>> import numpy as np
    >>> AudioReader(4, 1.0)((np.array([0.5, -0.5]), 4)).tolist()
    [0.5, -0.5, 0.0, 0.0]
    """

    sample_rate: int = 16_000
    seconds: float = 4.0

    def __post_init__(self) -> None:
        if self.sample_rate < 1 or not 0 < self.seconds < float("inf") or not round(self.sample_rate * self.seconds):
            raise ConfigError(
                f"sample_rate={self.sample_rate}, seconds={self.seconds}: expected positive numbers, at least 1 sample."
            )

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
            If it cannot be read, saying why: a folder, a dangling link, empty, no sound, no samples, numbers that are
            not finite or are beyond any sound, a sample rate that cannot be converted.
        MissingDependencyError
            If soundfile is not installed.
        """
        import numpy as np

        mono, rate = read_mono(value)
        length = round(self.sample_rate * self.seconds)
        result = np.zeros(length, dtype=np.float32)
        if rate != self.sample_rate:
            mono = _resampled(mono, _ratio(value, rate, self.sample_rate), length)
        mono = mono[:length]
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
    if max(float(waveform.max()), -float(waveform.min())) > _LOUDEST:
        raise DataError(f"{name}: holds numbers beyond {_LOUDEST:g}, which no sound does")
    mono = waveform.mean(axis=1) if waveform.ndim == 2 else waveform
    return mono.astype(np.float64), rate


def _given(value: tuple[Any, ...]) -> tuple[NDArray[Any], int, str]:
    import numpy as np

    if len(value) != 2:
        raise DataError(f"a tuple of {len(value)} where a sound belongs; expected 2: (waveform, sample rate)")
    waveform, rate = np.asarray(value[0]), value[1]
    if waveform.dtype.kind != "f" or waveform.ndim not in (1, 2):
        raise DataError(f"a waveform of shape {waveform.shape}, type {waveform.dtype}; expected floats [T] or [T, C]")
    if not isinstance(rate, int | float | np.integer | np.floating) or not 1 <= rate < float("inf"):
        raise DataError(f"a waveform of sample rate {rate!r}; expected a number of at least 1")
    return waveform, int(rate), "a waveform"


def _read(value: Any) -> tuple[NDArray[Any], int, str]:
    try:
        import soundfile  # type: ignore[import-untyped,unused-ignore]
    except (ImportError, OSError) as error:  # OSError: soundfile without its libsndfile
        raise MissingDependencyError('sounds need soundfile, not installed here: pip install "qmf[audio]"') from error
    source, name = _source(value)
    try:
        with soundfile.SoundFile(source) as sound:
            if sound.frames * sound.channels > MAX_SAMPLES:
                raise DataError(f"{name}: says that it holds {sound.frames:,} samples, more than {MAX_SAMPLES:,}")
            return sound.read(dtype="float32"), int(sound.samplerate), name
    except (RuntimeError, OSError, TypeError) as error:
        reason = str(error).rpartition(": ")[2].rstrip(".")
        raise DataError(f"{name}: not a whole sound: {reason}") from error


def _source(value: Any) -> tuple[Any, str]:
    if isinstance(value, bytes):
        if not value:
            raise DataError("0 bytes where a sound belongs")
        return io.BytesIO(value), "a sound given as bytes"
    if not isinstance(value, str | os.PathLike):
        raise DataError(f"a {type(value).__name__} where a sound belongs: give a path, bytes, (waveform, sample rate)")
    path = Path(value)
    try:
        if path.is_dir():
            raise DataError(f"{path}: a folder where a sound belongs")
        if not path.exists():
            reason = "a link to a file that does not exist" if path.is_symlink() else "no such file"
            raise DataError(f"{path}: {reason}")
        if not path.stat().st_size:
            raise DataError(f"{path}: empty (0 bytes)")
    except OSError as error:  # no permission, too long a name
        raise DataError(f"{str(path)[:200]}: {error.strerror}") from error
    return str(path), str(path)


def _ratio(value: Any, rate: int, wanted: int) -> Fraction:
    ratio = Fraction(wanted, rate)
    if max(ratio.numerator, ratio.denominator) > _MAX_RATIO:
        name = str(value) if isinstance(value, str | os.PathLike) else "a sound"
        raise DataError(f"{name}: {rate:,} samples per second, which cannot be converted to {wanted:,}")
    return ratio


def _resampled(waveform: NDArray[Any], ratio: Fraction, length: int) -> NDArray[Any]:
    """Give at least the first `length` samples of the resampled waveform, if there are as many."""
    from scipy.signal import resample_poly

    reach = ceil(10 * max(1.0, float(1 / ratio))) + 1  # half the filter of resample_poly
    heard = waveform[: ceil(length / ratio) + reach]
    resampled: NDArray[Any] = resample_poly(heard, ratio.numerator, ratio.denominator)
    return resampled
