"""Log-mel spectrogram: how loud each pitch is over time, on the scale of human hearing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["LogMel", "mel_filters"]

_FLOOR = 1e-6  # power added before the logarithm: silence is -13.8, not minus infinity


class LogMel(nn.Module):
    """Waveform to log-mel spectrogram, ``log(M |STFT(x)|^2 + 1e-6)``, Hann window of 25 ms every 10 ms.

    Parameters
    ----------
    sample_rate : int
        Of the waveform.
    bands : int
        Mel bands B, from 0 Hz to half the sample rate.

    Examples
    --------
    >>> LogMel(16000, 64)(torch.zeros(2, 16000)).shape
    torch.Size([2, 64, 101])
    """

    filters: Tensor
    window: Tensor

    def __init__(self, sample_rate: int = 16_000, bands: int = 64) -> None:
        super().__init__()
        self.length, self.hop = round(0.025 * sample_rate), round(0.010 * sample_rate)
        self.size = 1 << (self.length - 1).bit_length()
        self.register_buffer("filters", mel_filters(sample_rate, self.size, bands), persistent=False)
        self.register_buffer("window", torch.hann_window(self.length), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Give [N, bands, frames] of waveforms [N, T]."""
        spectrum = torch.stft(x, self.size, self.hop, self.length, self.window, return_complex=True)
        return torch.log(self.filters @ spectrum.abs().square() + _FLOOR)


def mel_filters(sample_rate: int, size: int, bands: int) -> Tensor:
    """Give triangular filters, evenly spaced in ``mel(f) = 2595 log10(1 + f / 700)``.

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
        Weights 0 to 1, each filter 1 at its centre.

    References
    ----------
    Young et al., The HTK Book, section 5.4.
    """
    frequencies = torch.linspace(0, sample_rate / 2, size // 2 + 1, dtype=torch.float64)
    highest = 2595 * torch.log10(torch.tensor(1 + sample_rate / 2 / 700, dtype=torch.float64))
    edges = 700 * (10 ** (torch.linspace(0, 1, bands + 2, dtype=torch.float64) * highest / 2595) - 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    return torch.minimum(rising, falling).clamp(min=0).float()
