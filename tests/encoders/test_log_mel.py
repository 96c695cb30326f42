"""The log-mel spectrogram against naive NumPy, term by term."""

import numpy as np
import pytest
import torch

from qmf.encoders.log_mel import LogMel, mel_filters
from qmf.errors import ConfigError


def tone(frequency, rate=16000, seconds=0.5):
    return torch.from_numpy(np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).float()[None]


def naive_filters(rate, size, bands):
    def mel(f):
        return 2595 * np.log10(1 + f / 700)

    edges = [700 * (10 ** (i * mel(rate / 2) / (bands + 1) / 2595) - 1) for i in range(bands + 2)]
    result = np.zeros((bands, size // 2 + 1))
    for band in range(bands):
        low, centre, high = edges[band : band + 3]
        for k in range(size // 2 + 1):
            f = k * rate / size
            if low < f <= centre:
                result[band, k] = (f - low) / (centre - low)
            elif centre < f < high:
                result[band, k] = (high - f) / (high - centre)
    return result


def naive_log_mel(x, rate, bands):
    length, hop, size = round(0.025 * rate), round(0.01 * rate), 1 << (round(0.025 * rate) - 1).bit_length()
    window = np.zeros(size)
    left = (size - length) // 2
    window[left : left + length] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    padded, filters = np.pad(x, size // 2, mode="reflect"), naive_filters(rate, size, bands)
    frames = [np.fft.rfft(window * padded[s : s + size]) for s in range(0, len(x) + 1, hop)]
    return np.stack([np.log(filters @ np.abs(frame) ** 2 + 1e-6) for frame in frames], axis=1)


def test_one_band_is_one_triangle_by_hand():
    # mel(700 (10^a - 1)) = 2595 a: half of the mels of 6300 Hz (a = 1) is a = 1/2.
    filters = mel_filters(12600, 18, 1)[0]
    centre = 700 * (10**0.5 - 1)
    expected = [min(f / centre, (6300 - f) / (6300 - centre)) for f in np.arange(10) * 700]
    np.testing.assert_allclose(filters, expected, atol=1e-6)


@pytest.mark.parametrize(("rate", "size", "bands"), [(16000, 512, 64), (8000, 256, 40), (22050, 1024, 7)])
def test_filters_are_those_of_two_loops(rate, size, bands):
    filters = mel_filters(rate, size, bands)
    assert filters.dtype == torch.float32
    np.testing.assert_allclose(filters, naive_filters(rate, size, bands), atol=1e-6)


@pytest.mark.parametrize(("rate", "bands"), [(16000, 64), (8000, 20), (11025, 16)])
def test_a_spectrogram_is_that_of_frame_by_frame(rate, bands):
    x = np.random.default_rng(0).normal(size=(2, rate // 4))
    spectrogram = LogMel(rate, bands)(torch.from_numpy(x))
    assert spectrogram.dtype == torch.float64
    assert spectrogram.shape == (2, bands, 1 + (rate // 4) // round(0.01 * rate))
    np.testing.assert_allclose(spectrogram, [naive_log_mel(row, rate, bands) for row in x], atol=1e-4)
    np.testing.assert_allclose(LogMel(rate, bands)(torch.from_numpy(x).float()), spectrogram, atol=1e-3)


@pytest.mark.parametrize("band", [5, 20, 40, 60])
def test_a_tone_is_loudest_in_the_band_around_it(band):
    centre = 700 * (10 ** ((band + 1) * np.log10(1 + 8000 / 700) / 65) - 1)
    spectrogram = LogMel()(tone(centre))
    assert (spectrogram[0, :, 5:-5].argmax(dim=0) == band).all()


def test_gain_adds_a_constant_and_silence_is_the_floor():
    noise = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(LogMel()(10 * noise) - LogMel()(noise), 2 * np.log(10), atol=1e-3)
    np.testing.assert_allclose(LogMel()(torch.zeros(1, 8000)), np.log(1e-6), atol=1e-6)
    np.testing.assert_allclose(LogMel(floor=1e-2)(torch.zeros(1, 8000)), np.log(1e-2), atol=1e-6)


def test_it_is_the_same_every_time_and_has_no_saved_weights():
    x = torch.randn(3, 4000, generator=torch.Generator().manual_seed(1))
    first = LogMel()
    assert torch.equal(first(x), LogMel()(x))
    assert {name for name, _ in first.named_buffers()} == {"filters", "window"}
    assert not first.state_dict()


def test_half_precision_is_not_used():
    x = 100 * torch.randn(2, 4000, generator=torch.Generator().manual_seed(2))
    expected = LogMel()(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(LogMel()(x), expected)
    assert LogMel()(x.to(torch.bfloat16)).dtype == torch.float32


def test_window_and_hop_are_parameters():
    spectrogram = LogMel(16000, 32, window_seconds=0.032, hop_seconds=0.016)
    assert (spectrogram.length, spectrogram.hop, spectrogram.size) == (512, 256, 512)
    assert spectrogram(torch.zeros(1, 2560)).shape == (1, 32, 11)


@pytest.mark.parametrize(
    "options",
    [{"sample_rate": 0}, {"sample_rate": 40}, {"bands": 0}, {"floor": 0.0}, {"hop_seconds": 0.0}],
)
def test_wrong_parameters_are_refused(options):
    with pytest.raises(ConfigError, match="expected a window of at least 2 every 1, at least 1 band"):
        LogMel(**options)


@pytest.mark.parametrize("shape", [(2, 256), (8000,), (1, 1, 8000)])
def test_waveforms_of_a_wrong_shape_are_refused(shape):
    with pytest.raises(ConfigError, match=r"expected \[N, T\], T more than 256"):
        LogMel()(torch.zeros(shape))
