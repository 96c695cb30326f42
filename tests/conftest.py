"""Tiny models of transformers, made here: what a test needs of one, saved in a folder of its own."""

import pytest
import torch


@pytest.fixture(scope="session")
def transformers():
    return pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(scope="session")
def save_bert(transformers):
    """Save a text model with a word for each id, ``[PAD]``, ``[UNK]``, ``[CLS]``, ``[SEP]`` and ``[MASK]`` first."""

    def save(folder, words, **changed):
        folder.mkdir()
        (folder / "vocab.txt").write_text("\n".join(words))
        transformers.BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
        config = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        torch.manual_seed(0)
        config = transformers.BertConfig(vocab_size=len(words), **(config | changed))
        transformers.BertModel(config).save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def save_vit(transformers):
    """Save a model of pictures of 32 x 32, with a mean and spread of its own."""

    def save(folder):
        config = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        torch.manual_seed(0)
        transformers.ViTModel(transformers.ViTConfig(image_size=32, patch_size=8, **config)).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(
            '{"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32},'
            ' "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}'
        )
        return folder

    return save


@pytest.fixture(scope="session")
def save_wav2vec(transformers):
    """Save a model of sounds of 8000 values a second."""

    def save(folder, **changed):
        config = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        torch.manual_seed(0)
        config = transformers.Wav2Vec2Config(
            conv_dim=(8, 8),
            conv_kernel=(10, 8),
            conv_stride=(5, 4),
            num_feat_extract_layers=2,
            num_conv_pos_embeddings=4,
            num_conv_pos_embedding_groups=2,
            **(config | changed),
        )
        transformers.Wav2Vec2Model(config).save_pretrained(folder)
        transformers.Wav2Vec2FeatureExtractor(sampling_rate=8000).save_pretrained(folder)
        return folder

    return save
