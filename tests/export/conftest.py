"""Tiny networks of pictures, texts and sounds, for exports."""

import pytest

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "bad", "day", "night", "in", "the", "park", "##s"]


@pytest.fixture(scope="session")
def bert(save_bert, tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("models") / "bert", WORDS, max_position_embeddings=12)


@pytest.fixture(scope="session")
def vit(save_vit, tmp_path_factory):
    return save_vit(tmp_path_factory.mktemp("models") / "vit")


@pytest.fixture(scope="session")
def wav2vec(save_wav2vec, tmp_path_factory):
    return save_wav2vec(tmp_path_factory.mktemp("models") / "wav2vec")
