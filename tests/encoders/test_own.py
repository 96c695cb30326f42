"""An encoder of the user's own: function, network, class or name."""

import numpy as np
import pytest
import torch
from torch import nn

from qmf import QMFClassifier
from qmf.encoders.own import OwnEncoder
from qmf.encoders.registry import open_encoder
from qmf.errors import ConfigError, DataError


class Means(nn.Module):
    """Mean and deviation of each channel, through a linear layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(6, 5)

    def forward(self, x):
        x = x.float()
        return self.layer(torch.cat([x.mean(dim=(1, 2)), x.std(dim=(1, 2))], dim=1) / 255)


def brightness(pictures):
    return pictures.reshape(len(pictures), -1).mean(axis=1, keepdims=True)


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return [rng.integers(120 * (i % 2), 130 + 120 * (i % 2), (9, 7, 3)).astype(np.uint8) for i in range(60)]


def test_a_function_a_network_its_class_and_its_name_are_encoders(pictures):
    given = open_encoder("image", brightness, {"size": 8})
    assert (given.out_features, given.cached) == (1, False)
    assert given.encode([np.full((4, 4, 3), 9, dtype=np.uint8)]).tolist() == [[9.0]]
    network = Means()
    encoders = [open_encoder("image", x, {"size": 8}) for x in (network, Means, f"{__name__}:Means")]
    with torch.inference_mode():
        expected = network(torch.from_numpy(np.stack([encoders[0].reader(x) for x in pictures])))
    for encoder in encoders:
        np.testing.assert_allclose(encoder.encode(pictures), expected, atol=1e-6)
    changed = Means()
    changed.layer.weight.data += 1
    assert len({e.fingerprint for e in [*encoders, open_encoder("image", changed, {"size": 8})]}) == 2


def test_texts_and_sounds(pictures):
    assert OwnEncoder(lambda texts: [[len(t)] for t in texts], "text").encode(["ab", ""]).tolist() == [[2], [0]]
    peak = OwnEncoder(lambda x: abs(x).max(axis=1)[:, None], "audio", sample_rate=100, seconds=0.1)
    assert peak.encode([(np.array([0.5, -2.0]), 100)]).tolist() == [[2.0]]


@pytest.mark.parametrize("tune", ["frozen", "full"])
def test_a_classifier_learns_with_a_network_of_the_users(pictures, tune, tmp_path, monkeypatch):
    monkeypatch.setenv("QMF_CACHE", str(tmp_path / "cache"))
    X, y = {"picture": pictures}, np.arange(60) % 2
    modality = {"type": "image", "encoder": Means(), "tune": tune, "options": {"size": 8}}
    fitted = QMFClassifier(modalities={"picture": modality}, epochs=20, random_state=0).fit(X, y)
    assert fitted.score(X, y) > 0.9
    with pytest.raises(ConfigError, match="'picture': its encoder was given as an object, which cannot be saved"):
        fitted.save(tmp_path / "model")
    named = {**modality, "encoder": f"{__name__}:Means"}
    fitted = QMFClassifier(modalities={"picture": named}, epochs=5, random_state=0).fit(X, y)
    fitted.save(tmp_path / "model")
    loaded = QMFClassifier.load(tmp_path / "model")
    np.testing.assert_allclose(loaded.predict_proba(X), fitted.predict_proba(X), atol=1e-6)


def test_what_is_no_encoder_is_named():
    with pytest.raises(ConfigError, match="3 is no encoder"):
        open_encoder("image", 3, {})
    with pytest.raises(ConfigError, match=r"gave an array of shape \(1,\): expected \[n, D\]"):
        OwnEncoder(lambda x: x.mean(axis=(1, 2, 3)), "image", size=4)
    with pytest.raises(ConfigError, match=r"called with uint8 \['n', 4, 4, 3\]"):
        OwnEncoder(lambda x: x @ np.zeros((7, 7)), "image", size=4)
    with pytest.raises(ConfigError, match=r"frozen, or, if it is an nn\.Module, full"):
        OwnEncoder(brightness, "image", tune="full")
    with pytest.raises(DataError, match="for 2 values, 1 wide"):
        OwnEncoder(lambda texts: np.zeros((1, 1)), "text").encode(["a", "b"])
