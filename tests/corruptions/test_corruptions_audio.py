from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qmf.corruptions import CORRUPTIONS, corrupt

AUDIBLE = [name for name, c in CORRUPTIONS.items() if "audio" in c.kinds]


def audio(value, name, severity=None, **parameters):
    who = {"seed": 0, "sample_id": "a", "modality": "sound", "sample_rate": 1000}
    return corrupt(value, name, severity, kind="audio", **who, **parameters)


def test_by_hand():
    wave = np.array([1.0, -2.0, 4.0, -4.0], np.float32)
    assert audio(wave, "clipping", level=0.5).tolist() == [1.0, -2.0, 2.0, -2.0]
    assert audio(wave, "dropouts", rate=1, packet=0.02).tolist() == [0.0] * 4
    assert audio(wave, "dropouts", rate=0, packet=0.02).tolist() == wave.tolist()
    assert audio(wave, "zeroed").tolist() == [0.0] * 4
    assert audio(np.zeros(5, np.float32), "noise_snr", 5).tolist() == [0.0] * 5


@pytest.mark.parametrize("snr", [20.0, 0.0, -10.0])
def test_noise_has_its_ratio(snr):
    wave = np.sin(np.arange(50000) / 7)
    noise = audio(wave, "noise_snr", snr=snr) - wave
    ratio = 10 * math.log10((wave**2).mean() / (noise**2).mean())
    assert abs(ratio - snr) < 5 * (10 / math.log(10)) * math.sqrt(2 / 50000)


def test_dropouts_are_whole_packets_at_their_rate():
    lost = (audio(np.ones(20 * 3000 + 7), "dropouts", rate=0.2, packet=0.02) == 0)[: 20 * 3000].reshape(3000, 20)
    assert (lost.any(axis=1) == lost.all(axis=1)).all()
    assert abs(lost.all(axis=1).sum() - 600) < 5 * math.sqrt(3000 * 0.16)


def test_band_limit_removes_what_is_above():
    t = np.arange(2000) / 1000
    low, high = np.sin(2 * np.pi * 50 * t), np.sin(2 * np.pi * 300 * t)
    np.testing.assert_allclose(audio(low + high, "band_limit", cutoff=100), low, atol=1e-9)


waves = arrays(np.float32, st.integers(1, 50), elements=st.floats(-1, 1, width=32))


@settings(max_examples=60, deadline=None)
@given(waves, st.sampled_from(AUDIBLE), st.integers(1, 5))
def test_any_wave(wave, name, severity):
    before = wave.copy()
    result = audio(wave, name, severity)
    assert (result.shape, result.dtype) == (wave.shape, np.float32)
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(wave, before)
