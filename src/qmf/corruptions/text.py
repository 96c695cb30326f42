"""What goes wrong with text. A word is a run of characters without white space; white space stays as it is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

__all__ = [
    "blank_words",
    "gibberish",
    "ocr_confusions",
    "shuffle_words",
    "truncate",
    "typos",
    "word_drop",
]

WORD = re.compile(r"\S+")
LATIN = "abcdefghijklmnopqrstuvwxyz"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"


def blank_words(text: str, rng: np.random.Generator, *, rate: float) -> str:
    """Each word becomes "_" with probability `rate`."""
    return _replace_words(text, rng, rate, lambda word: "_")


def word_drop(text: str, rng: np.random.Generator, *, rate: float) -> str:
    """Each word goes with probability `rate`; one always stays. The rest is joined by single spaces."""
    words = WORD.findall(text)
    draw = rng.random(len(words))
    if not words or draw.min() >= rate:
        return text
    stays = (draw >= rate) | (draw == draw.max())
    return " ".join(word for word, keep in zip(words, stays, strict=True) if keep)


def truncate(text: str, rng: np.random.Generator, *, keep: float) -> str:
    """Cut after the first `keep` part of the words (rounded up, at least one); draws nothing."""
    words = list(WORD.finditer(text))
    kept = max(1, math.ceil(keep * len(words)))
    return text[: words[kept - 1].end()] if kept < len(words) else text


def shuffle_words(text: str, rng: np.random.Generator, *, rate: float) -> str:
    """Draw each word with probability `rate`; the words drawn change places at random."""
    words = WORD.findall(text)
    drawn = np.flatnonzero(rng.random(len(words)) < rate)
    shuffled = list(words)
    for place, origin in zip(drawn, rng.permutation(drawn), strict=True):
        shuffled[place] = words[origin]
    rest = iter(shuffled)
    return WORD.sub(lambda match: next(rest), text)


def gibberish(text: str, rng: np.random.Generator, *, rate: float) -> str:
    """Each word is written, with probability `rate`, in letters of another script: always the same for a letter.

    Cyrillic letters become Latin, all others Cyrillic; capitals stay capitals, digits and signs stay.
    """
    return _replace_words(text, rng, rate, lambda word: "".join(map(_foreign, word)))


def typos(text: str, rng: np.random.Generator, *, rate: float) -> str:
    """Each letter is mistyped with probability `rate`: it changes place with the next, or a key next to it is hit.

    Half and half where both are possible (US layout); a letter without either stays.
    """
    letters = list(text)
    draw = rng.random((len(letters), 3))
    i = 0
    while i < len(letters):
        if letters[i].isalpha() and draw[i, 0] < rate:
            near = NEIGHBOURS.get(letters[i].lower(), "")
            following = letters[i + 1] if i + 1 < len(letters) else ""
            if following.isalpha() and following != letters[i] and (draw[i, 1] < 0.5 or not near):
                letters[i], letters[i + 1] = following, letters[i]
                i += 1
            elif near:
                hit = near[int(draw[i, 2] * len(near))]
                letters[i] = hit.upper() if letters[i].isupper() else hit
        i += 1
    return "".join(letters)


def ocr_confusions(text: str, rng: np.random.Generator, *, rate: float) -> str:
    """Each group of letters that looks like another is read as the other with probability `rate`."""

    def read(match: re.Match[str]) -> str:
        hit, choice = rng.random(2)
        others = LOOKALIKES[match[0]]
        return others[int(choice * len(others))] if hit < rate else match[0]

    return CONFUSABLE.sub(read, text)


def _replace_words(text: str, rng: np.random.Generator, rate: float, replace: Callable[[str], str]) -> str:
    hit = iter(rng.random(len(WORD.findall(text))) < rate)
    return WORD.sub(lambda match: replace(match[0]) if next(hit) else match[0], text)


def _foreign(letter: str) -> str:
    if not letter.isalpha():
        return letter
    alphabet = LATIN if "\u0400" <= letter <= "\u04ff" else CYRILLIC
    other = alphabet[ord(letter.lower()[0]) % len(alphabet)]
    return other.upper() if letter.isupper() else other


def _keyboard_neighbours() -> dict[str, str]:
    rows = ((0.0, "qwertyuiop"), (0.25, "asdfghjkl"), (0.75, "zxcvbnm"))
    keys = {key: (shift + j, i) for i, (shift, row) in enumerate(rows) for j, key in enumerate(row)}
    return {
        key: "".join(other for other, at in keys.items() if other != key and math.dist(keys[key], at) < 1.3)
        for key in keys
    }


def _lookalikes() -> dict[str, list[str]]:
    pairs = "0 O|1 l|l I|5 S|8 B|2 Z|6 G|rn m|cl d|vv w|li h|e c|a o|u v|f t|. ,"
    both: dict[str, list[str]] = {}
    for pair in pairs.split("|"):
        left, right = pair.split(" ")
        both.setdefault(left, []).append(right)
        both.setdefault(right, []).append(left)
    return both


NEIGHBOURS = _keyboard_neighbours()
LOOKALIKES = _lookalikes()
CONFUSABLE = re.compile("|".join(re.escape(seen) for seen in sorted(LOOKALIKES, key=len, reverse=True)))
