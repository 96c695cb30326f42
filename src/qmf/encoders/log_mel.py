"""Log-mel spectrogram: how loud each pitch is over time, on the scale of human hearing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qmf.errors import ConfigError
from qmf.precision import full_precision

__all__ = ["LogMel", "LogMelStatistics", "mel_filters"]


class LogMel(nn.Module):
    """Waveform to log-mel spectrogram, ``log(M |STFT(x)|^2 + floor)``, with a Hann window.

    The same waveform gives the same numbers every time; half precision and autocast are not used, for powers overflow.

    Parameters
    ----------
    sample_rate : int
        Of the waveform.
    bands : int
        Mel bands B, from 0 Hz to half the sample rate, at least 1.
    window_seconds, hop_seconds : float
        Length of the window, and from one to the next; at least 2 samples and 1.
    floor : float
        Power added before the logarithm, above 0: silence is -13.8, not minus infinity.

    Raises
    ------
    ConfigError
        If a parameter is out of its range.

    Notes
    -----
    The window is padded to a power of two; frames are centred, the waveform mirrored at its ends. With many bands the
    lowest filters can be narrower than the distance of two frequencies and hold none: such a band is ``log(floor)``.

    Examples
    --------
    >>> LogMel(16000, 64)(torch.zeros(2, 16000)).shape
    torch.Size([2, 64, 101])
    """

    filters: Tensor
    window: Tensor

    def __init__(
        self,
        sample_rate: int = 16_000,
        bands: int = 64,
        *,
        window_seconds: float = 0.025,
        hop_seconds: float = 0.010,
        floor: float = 1e-6,
    ) -> None:
        super().__init__()
        self.length, self.hop, self.floor = round(window_seconds * sample_rate), round(hop_seconds * sample_rate), floor
        if self.length < 2 or self.hop < 1 or bands < 1 or not floor > 0:
            raise ConfigError(
                f"sample_rate={sample_rate}, bands={bands}, floor={floor}, a window of {self.length} samples every"
                f" {self.hop}: expected a window of at least 2 every 1, at least 1 band, and a floor above 0."
            )
        self.size = 1 << (self.length - 1).bit_length()
        self.register_buffer("filters", mel_filters(sample_rate, self.size, bands), persistent=False)
        self.register_buffer("window", torch.hann_window(self.length), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Give spectrograms of waveforms.

        Parameters
        ----------
        x : Tensor, float, [N, T]
            Waveforms of more than ``size / 2`` samples (256 at 16 kHz).

        Returns
        -------
        Tensor, [N, bands, 1 + T // hop]
            Log-mel spectrograms, in float32, or float64 if `x` is.

        Raises
        ------
        ConfigError
            If the waveforms are not [N, T] or too short.
        """
        if x.ndim != 2 or x.shape[1] <= self.size // 2:
            raise ConfigError(f"waveforms of shape {list(x.shape)}: expected [N, T], T more than {self.size // 2}.")
        with torch.autocast(x.device.type, enabled=False):
            x = full_precision(x)
            window, filters = self.window.to(x.dtype), self.filters.to(x.dtype)
            spectrum = torch.stft(x, self.size, self.hop, self.length, window, return_complex=True)
            return torch.log(filters @ spectrum.abs().square() + self.floor)


class LogMelStatistics(nn.Module):
    """Mean, standard deviation and mean absolute change over time of each band of a `LogMel`."""

    def __init__(self, sample_rate: int, bands: int) -> None:
        super().__init__()
        self.spectrogram = LogMel(sample_rate, bands)

    def forward(self, x: Tensor) -> Tensor:
        """Give [N, 3 bands] of waveforms [N, T]."""
        s = self.spectrogram(x)
        change = s.diff(dim=2).abs().mean(dim=2)
        return torch.cat([s.mean(dim=2), s.std(dim=2, correction=0), change], dim=1)


def mel_filters(sample_rate: int, size: int, bands: int) -> Tensor:
    """Give triangular filters, evenly spaced in ``mel(f) = 2595 log10(1 + f / 700)``, the formula of HTK.

    Each is 1 at its centre: they are not divided by their width (the area normalisation of Slaney).

    Parameters
    ----------
    sample_rate : int
        Samples per second.
    size : int
        Length of the Fourier transform.
    bands : int
        B.

    Returns
    -------
    Tensor [B, size / 2 + 1], float32
        Weights 0 to 1.

    References
    ----------
    Young et al., The HTK Book, section 5.4.

    Examples
    --------
    >>> mel_filters(16000, 512, 64).shape
    torch.Size([64, 257])
    """
    frequencies = torch.linspace(0, sample_rate / 2, size // 2 + 1, dtype=torch.float64)
    highest = 2595 * torch.log10(torch.tensor(1 + sample_rate / 2 / 700, dtype=torch.float64))
    edges = 700 * (10 ** (torch.linspace(0, 1, bands + 2, dtype=torch.float64) * highest / 2595) - 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    return torch.minimum(rising, falling).clamp(min=0).float()
