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
def vit(tmp_path):
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8
    )
    transformers.ViTModel(config).save_pretrained(tmp_path / "vit")
    (tmp_path / "vit" / "preprocessor_config.json").write_text(
        '{"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32},'
        ' "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}'
    )
    return tmp_path / "vit"


@pytest.fixture
def wav2vec(tmp_path):
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_kernel=(10, 8),
        conv_stride=(5, 4),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    transformers.Wav2Vec2Model(config).save_pretrained(tmp_path / "w2v")
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=8000).save_pretrained(tmp_path / "w2v")
    return tmp_path / "w2v"


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
