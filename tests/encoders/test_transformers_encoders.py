"""Any transformers vision or audio model: tiny ones made here, saved, found again, without a network."""

import numpy as np
import pytest
import torch

from qmf.encoders.registry import open_encoder
from qmf.errors import ConfigError

transformers = pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("QMF_OFFLINE", "1")


@pytest.fixture
def vit(save_vit, tmp_path):
    return save_vit(tmp_path / "vit")


@pytest.fixture
def wav2vec(save_wav2vec, tmp_path):
    return save_wav2vec(tmp_path / "w2v")


def test_a_vision_model_sees_its_own_normalisation(vit):
    encoder = open_encoder("image", str(vit), {})
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    x = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        expected = transformers.ViTModel.from_pretrained(vit).eval()(pixel_values=(x - 0.5) / 0.25).pooler_output
    np.testing.assert_allclose(encoder.encode([picture]), expected.numpy(), atol=1e-5)


def test_an_audio_model_and_its_batches(wav2vec):
    encoder = open_encoder("audio", str(wav2vec), {"seconds": 0.1})
    waves = [(np.random.default_rng(i).normal(size=800).astype(np.float32), 8000) for i in range(11)]
    together = encoder.encode(waves)
    assert together.shape == (11, 16)
    np.testing.assert_allclose(together, np.concatenate([encoder.encode([wave]) for wave in waves]), atol=1e-5)


@pytest.mark.parametrize(("kind", "made"), [("image", "vit"), ("audio", "wav2vec")])
def test_a_saved_copy_is_the_same_encoder(kind, made, request, tmp_path):
    folder = request.getfixturevalue(made)
    first = open_encoder(kind, str(folder), {})
    first.save(tmp_path / "copy")
    assert open_encoder(kind, str(folder), {}, tmp_path / "copy").fingerprint == first.fingerprint


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"expected config.json, preprocessor_config.json and \*.safetensors"):
        open_encoder("image", str(tmp_path), {})
    with pytest.raises(ConfigError, match="not downloaded yet, and QMF_OFFLINE is set"):
        open_encoder("image", "nobody/nothing", {})
    with pytest.raises(ConfigError, match="unexpected keyword argument 'colour'"):
        open_encoder("image", "efficientnet-lite0", {"colour": 1})


def test_the_image_processors_scale_and_switches_are_followed(vit):
    path = vit / "preprocessor_config.json"
    path.write_text('{"size": {"height": 32, "width": 32}, "do_normalize": false, "rescale_factor": 0.5}')
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    with torch.inference_mode():
        x = torch.from_numpy(picture).permute(2, 0, 1)[None] * 0.5
        expected = transformers.ViTModel.from_pretrained(vit).eval()(pixel_values=x).pooler_output
    np.testing.assert_allclose(open_encoder("image", str(vit), {}).encode([picture]), expected.numpy(), atol=1e-5)
    path.write_text('{"size": {"height": 32, "width": 32}, "image_mean": null}')
    with pytest.raises(ConfigError, match=r"image_mean=None.*expected three numbers each"):
        open_encoder("image", str(vit), {})
    with pytest.raises(ConfigError, match="kind='text'"):
        open_encoder("image", str(vit), {"kind": "text"})


@pytest.mark.parametrize(("kind", "made", "options"), [("image", "vit", {}), ("audio", "wav2vec", {"seconds": 0.1})])
def test_a_model_is_trained_on_rows_and_begins_where_the_frozen_one_stands(kind, made, options, request):
    folder = str(request.getfixturevalue(made))
    rng = np.random.default_rng(0)
    if kind == "image":
        values = list(rng.integers(0, 255, (3, 32, 32, 3), dtype=np.uint8))
    else:
        values = [(rng.normal(size=800).astype(np.float32), 8000) for _ in range(3)]
    frozen = open_encoder(kind, folder, options)
    assert frozen.backbone() is None
    expected = frozen.encode(values)
    for tune in ("last-block", "full"):
        tuned = open_encoder(kind, folder, options | {"tune": tune})
        rows, network = tuned.encode(values), tuned.backbone()
        assert rows.shape == (3, tuned.out_features)
        if kind == "image":  # an audio model's frozen features are a mean over time, of which it has no pooled output
            np.testing.assert_allclose(network(torch.from_numpy(rows)).detach(), expected, atol=1e-5)
        trained = [name for name, p in network.named_parameters() if p.requires_grad]
        assert trained
        assert (len(trained) < len(list(network.parameters()))) == (tune == "last-block")
        assert network(torch.zeros(2, tuned.out_features)).isfinite().all()
    with pytest.raises(ConfigError, match="tune='some'"):
        open_encoder(kind, folder, options | {"tune": "some"})
