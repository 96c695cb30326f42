"""Sounds for a small network that is trained from scratch with the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from qmf.encoders.graph_inputs import Waves
from qmf.encoders.image_tuning import SmallCNN
from qmf.encoders.log_mel import LogMel
from qmf.encoders.sounds import AudioReader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AudioCNN", "Waveforms"]


class AudioCNN(nn.Module):
    """Log-mel spectrogram and a `SmallCNN` on it.

    Normalised by groups, not by batch: no sample, and no row of zeros where one is absent, changes another's features.

    Parameters
    ----------
    sample_rate : int
        Of the waveforms.
    bands : int
        Mel bands.

    Attributes
    ----------
    out_features : int
        128.

    Raises
    ------
    ConfigError
        As `LogMel` does.

    Examples
    --------
    >>> AudioCNN(8000)(torch.zeros(2, 8000)).shape
    torch.Size([2, 128])
    """

    def __init__(self, sample_rate: int = 16_000, bands: int = 64) -> None:
        super().__init__()
        self.spectrogram = LogMel(sample_rate, bands)
        self.network = SmallCNN(channels=1)
        self.out_features = self.network.out_features

    def forward(self, x: Tensor) -> Tensor:
        """Give features [B, 128] of waveforms [B, T]."""
        # From silence (-14) to loud (8): the range of a picture, which the network expects.
        grey = (self.spectrogram(x) + 14.0) * 11.6
        h: Tensor = self.network(torch.unsqueeze(grey, 3))
        return h


class Waveforms:
    """Waveforms, on which an `AudioCNN` is trained; needs no pretrained weights.

    Parameters
    ----------
    sample_rate : int
        Sounds are resampled to it.
    seconds : float
        Length that is looked at. Waveforms are held in memory: 4 bytes a sample.
    bands : int
        Mel bands.

    Attributes
    ----------
    kind, out_features, fingerprint, reader
        As in `LogMelFeatures`; ``out_features`` is the number of samples.
    """

    kind = "audio"
    cached = False  # reading a sound costs as much as reading its samples from a cache

    def __init__(self, *, sample_rate: int = 8_000, seconds: float = 2.0, bands: int = 64) -> None:
        self.reader, self.bands = AudioReader(sample_rate, seconds), bands
        self.out_features = round(sample_rate * seconds)
        self.fingerprint = f"waveforms-1-{bands}-{self.reader!r}"

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give waveforms [n, T] of n sounds; see `AudioReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Give waveforms [n, T]."""
        return self.graph_input().forward(prepared)

    def graph_input(self) -> Waves:
        """Give what stands before `network`."""
        return Waves(self.reader)

    def network(self) -> nn.Module:
        """Give the module from waveforms to what `encode` gives: nothing but their numbers."""
        from qmf.encoders.graph_networks import AsRows

        return AsRows()

    def backbone(self) -> nn.Module:
        """Give the network that is trained on the waveforms."""
        return AudioCNN(self.reader.sample_rate, self.bands)
