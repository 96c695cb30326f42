"""Texts to features without a model: which words and word pairs occur, hashed to a fixed width."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from qmf.encoders.text_values import as_texts
from qmf.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["HashedWords", "split_words"]

_VERSION = 1  # raise when tokenisation or hashing changes
# Scripts written without spaces: a letter is a word, so that pairs are pairs of letters.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30ff\u3400-\u9fff\uf900-\ufaff"  # kana and Han
    "\U00020000-\U0003ffff"
)


class HashedWords:
    """Signed hashing of words and word pairs; needs no download and knows every language a little.

    Word or pair w adds ``s(w)`` in {-1, +1} to column ``h(w) mod D`` (MurmurHash3), and the row is divided by its
    Euclidean length, so that a dot product estimates the cosine of the two bags.

    Parameters
    ----------
    out_features : int
        Width D, at least 1.

    Attributes
    ----------
    kind : str
        ``"text"``.
    out_features : int
        Width D.
    fingerprint : str
        Names this method, its version and D.

    Raises
    ------
    ConfigError
        If `out_features` is below 1 or above 2^31 - 1.

    Notes
    -----
    About 10,000 short texts a second, 4 D bytes per row; computing is about as fast as caching.

    References
    ----------
    Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009, section 2.

    Examples
    --------
    >>> HashedWords(8).encode(["a dog", "A dog!", "..."]).shape
    (3, 8)
    """

    kind = "text"
    cached = True
    parts: tuple[str, ...] = ("",)  # this and the next two: of a `GraphInput`, which it is itself
    longest: int | None = None
    at_once = 512

    def __init__(self, out_features: int = 4096) -> None:
        if not 1 <= out_features < 2**31:
            raise ConfigError(f"out_features is {out_features}, must be from 1 to 2147483647")
        self.out_features = out_features
        self.fingerprint = f"hashed-words-{_VERSION}-{out_features}"

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give the features of texts.

        Parameters
        ----------
        values : sequence of str or pathlib.Path, n
            Texts, or UTF-8 files that hold them.

        Returns
        -------
        numpy.ndarray, float32, [n, out_features]
            Row i is of value i, of length 1 (zero for a text without a word).

        Raises
        ------
        DataError
            If a value is neither a text nor a readable file.
        """
        import numpy as np
        from sklearn.feature_extraction.text import HashingVectorizer

        texts = as_texts(values)
        if not texts:
            return np.zeros((0, self.out_features), dtype=np.float32)
        hashing = HashingVectorizer(
            analyzer=_words_and_pairs, n_features=self.out_features, norm="l2", dtype=np.float32
        )
        features: NDArray[np.float32] = hashing.transform(texts).toarray().astype(np.float32, copy=False)
        return features

    def tensors(self, rows: NDArray[np.floating], there: NDArray[np.bool_]) -> tuple[NDArray[Any], ...]:
        """Give the features alone."""
        return (rows.astype("float32", copy=False),)

    def document(self) -> dict[str, Any]:
        """Give the width."""
        return {"input": "hashed-words", "width": self.out_features}

    def graph_input(self) -> HashedWords:
        """Give itself: there is no network."""
        return self

    def network(self) -> nn.Module:
        """Give the module that changes nothing."""
        from torch import nn

        return nn.Identity()


def split_words(text: str) -> list[str]:
    """Split a text in any script into words, without case.

    A word is a run of letters, digits and the marks they carry; in scripts written without spaces (Chinese,
    Japanese, Thai, Lao, Khmer, Burmese) it is one letter with its marks; a pictograph is a word.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of str
        Words in order, in NFKC form and case-folded.

    Examples
    --------
    >>> split_words("Don't PANIC, 大丈夫 😀")
    ['don', 't', 'panic', '大', '丈', '夫', '😀']
    """
    return _word_pattern().findall(unicodedata.normalize("NFKC", text).casefold())


def _words_and_pairs(text: str) -> list[str]:
    words = split_words(text)
    return words + [f"{first} {second}" for first, second in pairwise(words)]


@lru_cache(maxsize=1)
def _word_pattern() -> re.Pattern[str]:
    mark, picture = _class_of(("Mn", "Mc")), _class_of(("So",))
    spaced = rf"[^\W_{_UNSPACED}]"
    return re.compile(rf"(?=\w)[{_UNSPACED}][{mark}]*|{spaced}(?:{spaced}|[{mark}])*|(?!\ufffd)[{picture}]")


def _class_of(categories: tuple[str, ...]) -> str:
    """Write the characters of some Unicode categories as ranges for a regular expression."""
    ranges: list[list[int]] = []
    for code in range(min(0x20000, sys.maxunicode)):
        if unicodedata.category(chr(code)) in categories:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)
