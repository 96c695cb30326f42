"""Sounds: read at one rate and length; the log-mel spectrogram against a naive one."""

import numpy as np
import pytest
import torch

from qmf.encoders.audio_cnn import Waveforms
from qmf.encoders.audio_features import LogMelFeatures
from qmf.encoders.log_mel import LogMel, mel_filters
from qmf.encoders.sounds import AudioReader
from qmf.errors import ConfigError, DataError

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")


def tone(frequency, rate=8000, seconds=0.5):
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def test_files_are_resampled_averaged_cut_and_followed_by_silence(tmp_path):
    stereo = np.stack([tone(300), np.zeros(4000, dtype=np.float32)], axis=1)
    soundfile.write(tmp_path / "s.flac", stereo, 8000)
    read = AudioReader(16000, 1.0)(tmp_path / "s.flac")
    assert read.shape == (16000,)
    np.testing.assert_allclose(read[100:7900], tone(300, 16000)[100:7900] / 2, atol=0.01)
    assert (read[8000:] == 0).all()
    assert AudioReader(8000, 0.1)((tone(300), 8000)).tolist() == tone(300)[:800].tolist()


def test_what_is_broken_is_named(tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 8000)
    (tmp_path / "text.wav").write_text("no sound")
    reader = AudioReader()
    for value, reason in [
        (tmp_path / "none.wav", "0 samples"),
        (tmp_path / "text.wav", "not a whole sound"),
        (tmp_path, "a folder"),
        (b"", "0 bytes"),
        ((np.array([0.0, np.nan]), 8000), "NaN"),
        ((np.array([1, 2]), 8000), "expected floats"),
        (3, "a int where a sound belongs"),
    ]:
        with pytest.raises(DataError, match=reason):
            reader(value)
    with pytest.raises(ConfigError, match="expected positive numbers"):
        AudioReader(seconds=0)


def test_mel_filters_are_triangles_one_at_their_centres():
    filters = mel_filters(8000, 512, 20).numpy()
    frequencies = np.linspace(0, 4000, 257)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 22) / 2595) - 1)
    naive = [np.interp(frequencies, edges[b : b + 3], [0, 1, 0], left=0, right=0) for b in range(20)]
    np.testing.assert_allclose(filters, naive, atol=1e-5)


def test_a_tone_is_loudest_in_its_band_and_gain_adds_a_constant():
    spectrogram = LogMel(8000, 40)
    x = torch.from_numpy(tone(1000))[None]
    s = spectrogram(x)[0, :, 20]
    assert mel_filters(8000, spectrogram.size, 40)[s.argmax()].argmax() * 8000 / spectrogram.size == pytest.approx(
        1000, abs=80
    )
    louder = spectrogram(10 * x)[0, s.argmax(), 20]
    assert float(louder - s.max()) == pytest.approx(2 * np.log(10), abs=1e-3)


def test_features_do_not_depend_on_the_batch_and_waveforms_train_a_network():
    encoder = LogMelFeatures(sample_rate=8000, seconds=0.5, bands=16)
    waves = [(tone(200 + 50 * i), 8000) for i in range(40)]
    together = encoder.encode(waves)
    assert together.shape == (40, 48)
    np.testing.assert_allclose(np.concatenate([encoder.encode([w]) for w in waves]), together, atol=1e-4)
    waveforms = Waveforms(sample_rate=8000, seconds=0.5)
    assert waveforms.backbone()(torch.from_numpy(waveforms.encode(waves[:3]))).shape == (3, 128)
