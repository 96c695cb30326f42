import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmf.encoders.hashing_words import HashedWords, split_words
from qmf.errors import ConfigError, DataError


def test_two_words_and_their_pair_are_three_equal_columns():
    [row] = HashedWords().encode(["red dog"])
    assert row.shape == (4096,)
    assert row.dtype == np.float32
    np.testing.assert_allclose(np.abs(row[row != 0]), [1 / np.sqrt(3)] * 3, rtol=1e-6)


def test_a_shared_word_is_the_cosine_by_hand():
    # {red, dog, red dog} and {dog}: one shared of 3 and 1, so 1 / sqrt(3).
    first, second = HashedWords().encode(["red dog", "dog"])
    assert first @ second == pytest.approx(1 / np.sqrt(3), rel=1e-6)


def test_case_and_punctuation_do_not_count_but_order_does():
    features = HashedWords().encode(["A dog bites, a man.", "a DOG bites a man", "a man bites a dog"])
    np.testing.assert_array_equal(features[0], features[1])
    assert 0.5 < features[0] @ features[2] < 0.99


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("... !?", []),
        ("snake_case 3.5kg", ["snake", "case", "3", "5kg"]),
        ("naïve ÉCOLE", ["naïve", "école"]),
        ("nai\u0308ve", ["naïve"]),
        ("Straße", ["strasse"]),
        ("Привет, мир", ["привет", "мир"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("大丈夫です", ["大", "丈", "夫", "で", "す"]),
        ("안녕 세계", ["안녕", "세계"]),
        ("กินข้าว", ["กิ", "น", "ข้", "า", "ว"]),
        ("good 😀👍", ["good", "😀", "👍"]),
    ],
)
def test_words_of_many_scripts(text, words):
    assert split_words(text) == words


def test_no_word_is_a_row_of_zeros_and_no_text_is_no_row():
    assert not HashedWords(16).encode(["", "...", "\ud800"]).any()
    assert HashedWords(16).encode([]).shape == (0, 16)


def test_a_path_is_a_text_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a réd dog", encoding="utf-8")
    encoder = HashedWords(64)
    np.testing.assert_array_equal(encoder.encode([path]), encoder.encode(["a réd dog"]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=5))
def test_rows_are_of_length_one_or_zero_and_depend_on_their_text_alone(texts):
    encoder = HashedWords(256)
    features = encoder.encode(texts)
    for text, row in zip(texts, features, strict=True):
        np.testing.assert_array_equal(encoder.encode([text])[0], row)
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5) or not row.any()


def test_the_fingerprint_names_the_width():
    encoders = [HashedWords(), HashedWords(4096), HashedWords(64)]
    assert encoders[0].fingerprint == encoders[1].fingerprint != encoders[2].fingerprint
    assert encoders[0].kind == "text"


def test_signs_make_collisions_cancel_on_average():
    texts = [f"word{i}" for i in range(400)]
    features = HashedWords(32).encode(texts)
    products = [features[i] @ features[j] for i, j in itertools.combinations(range(400), 2)]
    assert abs(np.mean(products)) < 0.01


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ConfigError, match="out_features is 0"):
        HashedWords(0)
    with pytest.raises(DataError, match="Value 1 is a NoneType"):
        HashedWords().encode(["a", None])
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"picture\.jpg cannot be read as a UTF-8 text file"):
        HashedWords().encode([tmp_path / "picture.jpg"])
    with pytest.raises(DataError, match="nowhere"):
        HashedWords().encode([tmp_path / "nowhere"])
