"""Sounds to features without a model: statistics of the log-mel spectrogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qmf.encoders.sounds import AudioReader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LogMelFeatures"]

_VERSION = 1  # raise when reading, spectrogram or statistics change any feature
_BATCH = 32


class LogMelFeatures:
    """Mean, standard deviation and mean absolute change over time of each mel band; needs no download.

    Parameters
    ----------
    sample_rate : int
        Sounds are resampled to it.
    seconds : float
        Length that is looked at; shorter sounds are followed by silence.
    bands : int
        Mel bands.

    Attributes
    ----------
    kind : str
        ``"audio"``.
    out_features : int
        3 times `bands`.
    fingerprint : str
        Names the method, its version and options.
    reader : AudioReader
        From a file to what `forward` takes.
    """

    kind = "audio"

    def __init__(self, *, sample_rate: int = 16_000, seconds: float = 4.0, bands: int = 64) -> None:
        self.reader = AudioReader(sample_rate, seconds)
        self.bands = bands
        self.out_features = 3 * bands
        self.fingerprint = f"log-mel-{_VERSION}-{bands}-{self.reader!r}"

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give features [n, 3 bands] of n sounds; see `AudioReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Give features [n, 3 bands] of n waveforms."""
        import numpy as np
        import torch

        from qmf.encoders.log_mel import LogMel

        if not len(prepared):
            return np.zeros((0, self.out_features), dtype=np.float32)
        spectrogram, parts = LogMel(self.reader.sample_rate, self.bands), []
        with torch.inference_mode():
            for start in range(0, len(prepared), _BATCH):
                s = spectrogram(torch.from_numpy(np.stack(prepared[start : start + _BATCH])))
                change = s.diff(dim=2).abs().mean(dim=2)
                parts.append(torch.cat([s.mean(dim=2), s.std(dim=2, correction=0), change], dim=1).numpy())
        return np.concatenate(parts)
