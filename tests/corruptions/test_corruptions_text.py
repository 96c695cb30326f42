from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmf.corruptions import CORRUPTIONS, corrupt
from qmf.corruptions.text import LOOKALIKES, NEIGHBOURS

TEXTUAL = [name for name, c in CORRUPTIONS.items() if "text" in c.kinds]


def text(value, name, severity=None, sample_id="a", **parameters):
    who = {"seed": 0, "sample_id": sample_id, "modality": "title"}
    return corrupt(value, name, severity, kind="text", **who, **parameters)


def test_by_hand():
    assert text("one  two\nthree", "blank_words", rate=1) == "_  _\n_"
    assert text("one two three four five", "truncate", keep=0.5) == "one two three"
    assert text("one two", "truncate", keep=0) == "one"
    assert text(" one ", "truncate", keep=1) == " one "
    assert text("Za 5!", "gibberish", rate=1) == "Ъб 5!"
    assert text("", "word_drop", rate=1) == ""
    assert text("a b", "word_drop", rate=1) in ("a", "b")
    assert text("8", "ocr_confusions", rate=1) == "B"
    assert text("vv", "ocr_confusions", rate=1) == "w"


@pytest.mark.parametrize("name", [name for name in TEXTUAL if "rate" in CORRUPTIONS[name].parameters])
def test_rate_zero_changes_nothing(example, name):
    assert text(example("text"), name, rate=0) == example("text")


def test_blank_rate():
    blanks = text("word " * 5000, "blank_words", rate=0.3).split().count("_")
    assert abs(blanks - 1500) < 5 * math.sqrt(5000 * 0.3 * 0.7)


def test_dropped_words_leave_the_rest_in_order():
    words = [f"w{i}" for i in range(2000)]
    left = text(" ".join(words), "word_drop", rate=0.4).split()
    assert left == sorted(left, key=words.index)
    assert abs(len(left) - 1200) < 5 * math.sqrt(2000 * 0.4 * 0.6)


def test_shuffle_keeps_words_and_white_space():
    clean = "a  b\tc d\ne f g h"
    mixed = text(clean, "shuffle_words", rate=1)
    assert Counter(mixed.split()) == Counter(clean.split())
    assert [c for c in mixed if c.isspace()] == [c for c in clean if c.isspace()]
    assert mixed != clean


def test_keyboard():
    assert set(NEIGHBOURS["g"]) == set("tyfhvb") | (set(NEIGHBOURS["g"]) & set("rn"))
    assert all(key in NEIGHBOURS[other] for key, others in NEIGHBOURS.items() for other in others)


def test_typos_are_neighbours_or_transpositions():
    typed = text("g" * 4000, "typos", rate=0.5)
    assert set(typed) <= {"g", *NEIGHBOURS["g"]}
    hits = sum(letter != "g" for letter in typed)
    assert abs(hits - 2000) < 5 * math.sqrt(4000 * 0.25)
    assert Counter(text("éà " * 200, "typos", rate=1)) == Counter("éà " * 200)
    assert text("éà " * 3, "typos", rate=1) == "àé " * 3
    assert text("G", "typos", rate=1).isupper()


def test_ocr_reads_lookalikes_only():
    assert all(key in LOOKALIKES[other] for key, others in LOOKALIKES.items() for other in others)
    read = text("0" * 3000, "ocr_confusions", rate=0.2)
    assert set(read) == {"0", "O"}
    assert abs(read.count("O") - 600) < 5 * math.sqrt(3000 * 0.16)
    assert text("xyz", "ocr_confusions", rate=1) == "xyz"


def test_gibberish_is_the_same_for_the_same_word_and_leaves_no_latin():
    first, second = text("harbour cafe", "gibberish", rate=1), text("cafe", "gibberish", rate=1, sample_id="b")
    assert first.split()[1] == second
    assert not any(letter.isascii() and letter.isalpha() for letter in first)
    assert all(letter.isascii() for letter in text("гавань", "gibberish", rate=1))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.sampled_from(TEXTUAL), st.integers(1, 5))
def test_any_text_stays_text_and_keeps_a_word(value, name, severity):
    result = text(value, name, severity)
    assert isinstance(result, str)
    assert bool(result.split()) == bool(value.split())
    assert len(result.split()) <= len(value.split())
