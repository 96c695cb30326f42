"""Features of sounds: statistics against NumPy, and tiny transformers models made here, without a network."""

import json
import pickle
import socket
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from qmf.encoders import transformers_files
from qmf.encoders.audio_features import AudioFeatures, LogMelFeatures
from qmf.encoders.log_mel import LogMel
from qmf.errors import ConfigError, DataError, MissingDependencyError
from qmf.feature_cache import encode_cached

needs_transformers = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a socket was opened")

    monkeypatch.setenv("QMF_OFFLINE", "1")
    monkeypatch.setattr(socket.socket, "connect", refuse)


def waves(n, samples=8000, rate=8000):
    return [(np.random.default_rng(i).normal(size=samples).astype(np.float32), rate) for i in range(n)]


def test_statistics_are_those_of_the_spectrogram():
    encoder = LogMelFeatures(sample_rate=8000, seconds=1.0, bands=16)
    [(waveform, _)] = waves(1)
    s = LogMel(8000, 16)(torch.from_numpy(waveform)[None])[0].numpy()
    expected = np.concatenate([s.mean(axis=1), s.std(axis=1), np.abs(s[:, 1:] - s[:, :-1]).mean(axis=1)])
    features = encoder.encode(waves(1))
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected[None], atol=1e-4)


@pytest.mark.parametrize("n", [1, 31, 33])
def test_neither_batch_nor_order_changes_a_feature(n):
    encoder = LogMelFeatures(sample_rate=8000, seconds=0.5)
    values = waves(n, 4000)
    together = encoder.encode(values)
    assert together.shape == (n, encoder.out_features) == (n, 192)
    np.testing.assert_allclose(np.concatenate([encoder.encode([v]) for v in values]), together, atol=1e-4)
    np.testing.assert_allclose(encoder.encode(values[::-1])[::-1], together, atol=1e-4)


def test_it_is_a_frozen_encoder_without_files(tmp_path):
    encoder = LogMelFeatures(seconds=1.0)
    assert (encoder.kind, encoder.out_features) == ("audio", 192)
    assert encoder.encode([]).shape == (0, 192)
    assert pickle.loads(pickle.dumps(encoder.reader)) == encoder.reader
    encoder.save(tmp_path / "new")
    assert not list(tmp_path.iterdir())
    options = [{}, {"bands": 32}, {"seconds": 2.0}, {"sample_rate": 8000}]
    assert len({LogMelFeatures(**o).fingerprint for o in options}) == 4
    assert LogMelFeatures().fingerprint == LogMelFeatures(bands=64).fingerprint
    with pytest.raises(ConfigError, match="bands is 0"):
        LogMelFeatures(bands=0)


def test_workers_read_and_the_cache_keeps_features(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    for i, (waveform, rate) in enumerate(waves(3, 4000)):
        soundfile.write(tmp_path / f"{i}.wav", waveform / 8, rate)
    values = [*(tmp_path / f"{i}.wav" for i in range(3)), None]
    encoder = LogMelFeatures(sample_rate=8000, seconds=0.5, bands=16)
    features = encode_cached(encoder, values, folder=tmp_path / "cache", workers=1)
    np.testing.assert_allclose(features[:3], encoder.encode(values[:3]), atol=1e-4)
    assert np.isnan(features[3]).all()


@pytest.fixture(scope="module")
def wav2vec(save_wav2vec, tmp_path_factory):
    return save_wav2vec(tmp_path_factory.mktemp("models") / "wav2vec", num_hidden_layers=2, intermediate_size=32)


@pytest.fixture(scope="module")
def ast(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("models") / "ast"
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.ASTConfig(
        **sizes, num_mel_bins=32, max_length=48, patch_size=16, frequency_stride=16, time_stride=16
    )
    torch.manual_seed(0)
    transformers.ASTModel(config).save_pretrained(folder)
    transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=48, sampling_rate=16000).save_pretrained(folder)
    return folder


def naive_feature(folder, waveform, rate):
    """One sound at a time, the mean written out."""
    from transformers import AutoFeatureExtractor, AutoModel

    inputs = AutoFeatureExtractor.from_pretrained(folder)(waveform, sampling_rate=rate, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state[0].numpy()
    return hidden.sum(axis=0) / len(hidden)


@needs_transformers
@pytest.mark.parametrize(("made", "rate"), [("wav2vec", 8000), ("ast", 16000)])
def test_features_are_those_of_one_sound_at_a_time(made, rate, request):
    folder = request.getfixturevalue(made)
    encoder = AudioFeatures(folder, seconds=0.25)
    assert (encoder.kind, encoder.out_features, encoder.reader.sample_rate) == ("audio", 16, rate)
    values = waves(9, rate // 4, rate)
    features = encoder.encode(values)
    assert (features.shape, features.dtype) == ((9, 16), np.float32)
    np.testing.assert_allclose(features, [naive_feature(folder, *value) for value in values], atol=1e-4)
    np.testing.assert_allclose(np.concatenate([encoder.encode([v]) for v in values]), features, atol=1e-4)


@needs_transformers
def test_a_saved_copy_has_the_same_fingerprint_and_features(wav2vec, tmp_path):
    first = AudioFeatures(wav2vec, seconds=0.25)
    first.save(tmp_path / "copy")
    second = AudioFeatures(tmp_path / "copy", seconds=0.25)
    assert second.fingerprint == first.fingerprint != AudioFeatures(wav2vec, seconds=0.5).fingerprint
    np.testing.assert_array_equal(second.encode(waves(2, 2000)), first.encode(waves(2, 2000)))
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    (tmp_path / "copy" / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    assert AudioFeatures(tmp_path / "copy", seconds=0.25).fingerprint != first.fingerprint


@needs_transformers
def test_making_it_loads_no_weights(wav2vec):
    encoder = AudioFeatures(wav2vec)
    assert encoder.encode([]).shape == (0, 16)
    assert encoder._loaded is None


@needs_transformers
def test_a_sound_too_short_for_the_model_is_named(wav2vec):
    with pytest.raises(ConfigError, match=r"gives no last_hidden_state of sounds of 0\.001 s"):
        AudioFeatures(wav2vec, seconds=0.001).encode(waves(1))


@needs_transformers
def test_a_folder_that_is_no_audio_model_is_named(wav2vec, tmp_path):
    with pytest.raises(ConfigError, match=r"expected config.json, preprocessor_config.json"):
        AudioFeatures(tmp_path)
    AudioFeatures(wav2vec).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        AudioFeatures(tmp_path).encode(waves(1))
    del config["hidden_size"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="has no hidden_size"):
        AudioFeatures(tmp_path)
    with pytest.raises(ConfigError, match="QMF_OFFLINE is set"):
        AudioFeatures("nobody/nothing")


@needs_transformers
def test_a_width_other_than_the_promised_is_refused(wav2vec):
    encoder = AudioFeatures(wav2vec, seconds=0.25)
    encoder.out_features = 17
    with pytest.raises(DataError, match=r"16 features, its config\.json says 17"):
        encoder.encode(waves(1, 2000))


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(transformers_files, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "qmf\[text\]"'):
        AudioFeatures("any/model")
