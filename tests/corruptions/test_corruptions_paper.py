"""The paper's formulas against naive NumPy with the same keys."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from qmf.corruptions import paper_corrupt, paper_hit
from qmf.corruptions.paper import _wrap
from qmf.errors import ConfigError, DataError
from qmf.randomness import keyed_generator

SPARED = next(f"s{i}" for i in range(99) if not paper_hit(0, f"s{i}", "m"))
HIT = [f"s{i}" for i in range(600) if paper_hit(0, f"s{i}", "m")]
PICTURE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def noisy(value, noise, epsilon, sample=HIT[0], **options):
    return paper_corrupt(value, noise, epsilon, seed=0, sample_id=sample, modality="m", **options)


def test_wrap_by_hand():
    assert _wrap(np.array([-3.0, -3.7, -0.5, 300.0, 12.9, -256.0, 255.4])).tolist() == [253, 253, 0, 255, 12, 0, 255]


def test_coin_is_fair_and_spares_the_other_half():
    hits = sum(paper_hit(1, f"s{i}", m) for i in range(2000) for m in ("rgb", "depth"))
    assert abs(hits - 2000) < 5 * math.sqrt(4000 / 4)
    both = sum(paper_hit(1, f"s{i}", "rgb") and paper_hit(1, f"s{i}", "depth") for i in range(2000))
    assert abs(both - 500) < 5 * math.sqrt(2000 * 0.25 * 0.75)
    for epsilon in (5, 10):
        np.testing.assert_array_equal(noisy(PICTURE, "gaussian_noise", epsilon, sample=SPARED), PICTURE)
    np.testing.assert_array_equal(noisy(PICTURE, "gaussian_noise", 0), PICTURE)


@pytest.mark.parametrize(("setting", "std"), [("image-text", 50.0), ("rgb-d", 5.0)])
@pytest.mark.parametrize("overflow", ["clip", "wrap"])
def test_gaussian(setting, std, overflow):
    result = noisy(PICTURE, "gaussian_noise", 5, setting=setting, overflow=overflow)
    rng = keyed_generator(0, "paper", "gaussian_noise", HIT[0], "m", 5.0)
    n = std * rng.normal(size=(30, 40, 1))
    total = PICTURE + np.repeat(n, 3, axis=2)
    if overflow == "clip":
        expected = np.clip(np.round(total), 0, 255)
    else:
        total[total > 255] = 255
        expected = np.fix(total) % 256
    np.testing.assert_array_equal(result, expected.astype(np.uint8))


def test_one_field_for_three_channels_with_its_standard_deviation():
    grey = np.full((200, 200, 3), 128, np.uint8)
    noise = noisy(grey, "gaussian_noise", 10, setting="rgb-d").astype(float) - 128
    assert (noise[..., 0] == noise[..., 1]).all()
    assert (noise[..., 0] == noise[..., 2]).all()
    expected = math.sqrt(100 + 1 / 12)
    assert abs(noise[..., 0].std() - expected) < 5 * expected / math.sqrt(2 * 40000)


@pytest.mark.parametrize(("revision", "rate"), [("2023", 0.5), ("2025", 0.05)])
def test_salt_and_pepper(revision, rate):
    grey = np.full((30, 30, 3), 128, np.uint8)
    results = [noisy(grey, "salt_and_pepper", 5, sample=sample, revision=revision) for sample in HIT]
    struck = [result for result in results if (result != 128).any()]
    coins = [keyed_generator(0, "paper", "salt_and_pepper", sample, "m", 5.0).random() < rate for sample in HIT]
    assert [bool((result != 128).any()) for result in results] == coins
    pixels = np.concatenate(struck).reshape(-1, 3)
    assert (pixels == pixels[:, :1]).all()
    for level in (0, 255):
        share = (pixels[:, 0] == level).mean()
        assert abs(share - 0.05) < 5 * math.sqrt(0.05 * 0.95 / len(pixels))


def test_salt_and_pepper_naively():
    result = noisy(PICTURE, "salt_and_pepper", 10)
    rng = keyed_generator(0, "paper", "salt_and_pepper", HIT[0], "m", 10.0)
    assert rng.random() < 1.0
    draw = rng.random((30, 40))
    expected = PICTURE.copy()
    expected[draw < 0.05] = 0
    expected[(draw >= 0.05) & (draw < 0.1)] = 255
    np.testing.assert_array_equal(result, expected)


def test_blank_words():
    assert noisy("a b  c", "blank_words", 10) == "_ _  _"
    assert noisy("a b c", "blank_words", 10, sample=SPARED) == "a b c"
    blanks = noisy("word " * 4000, "blank_words", 5).split().count("_")
    assert abs(blanks - 2000) < 5 * math.sqrt(4000 / 4)


def test_types_and_input_are_kept():
    picture = Image.fromarray(PICTURE)
    result = noisy(picture, "gaussian_noise", 10)
    assert result.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(result), noisy(PICTURE, "gaussian_noise", 10))
    before = PICTURE.copy()
    grey = noisy(PICTURE[..., 0], "salt_and_pepper", 10)
    assert grey.shape == (30, 40)
    for sample in (HIT[0], SPARED):
        assert not np.shares_memory(noisy(PICTURE, "gaussian_noise", 10, sample=sample), PICTURE)
    np.testing.assert_array_equal(PICTURE, before)


@pytest.mark.parametrize(
    ("noise", "epsilon", "options", "message"),
    [
        ("gauss", 5, {}, "Unknown noise 'gauss'"),
        ("gaussian_noise", 11, {}, r"epsilon must lie in \[0, 10\], got 11"),
        ("gaussian_noise", 5, {"setting": "food"}, "Unknown setting 'food'"),
        ("gaussian_noise", 5, {"revision": "2024"}, "Unknown revision"),
        ("gaussian_noise", 5, {"overflow": "saturate"}, "it is one of: clip, wrap"),
    ],
)
def test_wrong_settings(noise, epsilon, options, message):
    with pytest.raises(ConfigError, match=message):
        noisy(PICTURE, noise, epsilon, **options)


@pytest.mark.parametrize(("value", "noise"), [(PICTURE / 255, "gaussian_noise"), (PICTURE, "blank_words")])
def test_wrong_data(value, noise):
    with pytest.raises(DataError, match=r"Sample 's.*', modality 'm'"):
        noisy(value, noise, 5)
