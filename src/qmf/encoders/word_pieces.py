"""Texts as ids of word pieces, by the package tokenizers alone: what a text network takes, without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from qmf.encoders.text_values import as_texts
from qmf.errors import ConfigError, MissingDependencyError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["PAD", "WordPieces", "piece_rows"]

PAD = -1.0  # fills rows behind the last word piece; ids are from 0


def piece_rows(ids: Sequence[Sequence[int]], longest: int) -> NDArray[np.float32]:
    """Give rows [n, longest] of ids as numbers, `PAD` behind the last.

    Examples
    --------
    >>> piece_rows([[5, 7], []], 3).tolist()
    [[5.0, 7.0, -1.0], [-1.0, -1.0, -1.0]]
    """
    rows = np.full((len(ids), longest), PAD, dtype=np.float32)
    for row, pieces in zip(rows, ids, strict=True):
        row[: len(pieces)] = pieces
    return rows


class WordPieces:
    """Texts as ``input_ids`` and ``attention_mask``, int64 [n, T], T up to `longest`; see `GraphInput`.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        Cuts texts to `longest` pieces and pads none.
    longest : int
        At most so many pieces.
    """

    kind = "text"
    cached = False
    parts: tuple[str, ...] = ("input_ids", "attention_mask")
    at_once = 32

    def __init__(self, tokenizer: Tokenizer, longest: int) -> None:
        self._tokenizer, self.out_features = tokenizer, longest
        self.longest = longest if longest > 1 else None
        self.fingerprint = f"word-pieces-{longest}"

    @classmethod
    def of(cls, tokenizer: Any, longest: int) -> Self:
        """Take over a tokenizer of transformers.

        Raises
        ------
        ConfigError
            If it is not one of the package tokenizers, or cannot be written as JSON.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        try:
            copied = type(backend).from_str(backend.to_str())  # type: ignore[union-attr]
        except Exception as error:  # the package raises bare ones
            raise ConfigError(
                f"its tokenizer {type(tokenizer).__name__} is none of the package tokenizers, or JSON cannot hold it"
                f" ({error})"
            ) from error
        copied.no_padding()
        copied.enable_truncation(longest, direction=tokenizer.truncation_side)
        copied.encode_special_tokens = tokenizer.split_special_tokens
        return cls(copied, longest)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Read what `document` gave."""
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingDependencyError(
                "texts of this model need the package tokenizers, not installed here: pip install tokenizers"
            ) from error
        tokenizer = Tokenizer.from_str(json.dumps(document["tokenizer"]))
        tokenizer.encode_special_tokens = document["special_as_text"]
        return cls(tokenizer, document["longest"])

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give rows [n, longest] of ids of texts, or of UTF-8 files; see `piece_rows`."""
        encoded = self._tokenizer.encode_batch(as_texts(values))
        return piece_rows([one.ids for one in encoded], self.out_features)

    def tensors(self, rows: NDArray[np.floating], there: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
        """Give ids and mask [n, T] of rows, T the longest of them; 0 behind the last piece, and where nothing is."""
        mask = (rows >= 0) & there[:, None]
        mask = mask[:, : max(1, int(mask.sum(axis=1).max(initial=0)))]
        ids = np.where(mask, rows[:, : mask.shape[1]], 0)
        return ids.astype(np.int64), mask.astype(np.int64)

    def document(self) -> dict[str, Any]:
        """Give the tokenizer's own JSON, which any runtime of tokenizers reads."""
        return {
            "input": "word-pieces",
            "longest": self.out_features,
            "special_as_text": bool(self._tokenizer.encode_special_tokens),
            "tokenizer": json.loads(self._tokenizer.to_str()),
        }
