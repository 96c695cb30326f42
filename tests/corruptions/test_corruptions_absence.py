from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmf.corruptions import absent_mask, missing_patterns
from qmf.errors import ConfigError, DataError

NAMES = ("image", "text", "audio")


def mask(present, rate, ids=None, **options):
    ids = [f"s{i}" for i in range(len(present))] if ids is None else ids
    return absent_mask(present, rate, seed=0, sample_ids=ids, modalities=NAMES, **options)


def test_patterns_by_hand():
    assert missing_patterns(["a"]) == (("a",),)
    assert missing_patterns("ab") == (("a", "b"), ("a",), ("b",))
    patterns = missing_patterns(NAMES)
    assert len(patterns) == len(set(patterns)) == 7
    assert patterns[0] == NAMES
    with pytest.raises(ConfigError, match="must differ"):
        missing_patterns(["a", "a"])


def test_ends_by_hand():
    everything = np.ones((20, 3), bool)
    assert mask(everything, 0).all()
    assert (mask(everything, 1).sum(axis=1) == 1).all()
    only_text = np.tile([False, True, False], (4, 1))
    assert (mask(only_text, 1) == only_text).all()
    assert not mask(np.zeros((4, 3), bool), 0.5).any()
    assert mask(everything, 1, protected=["text"]).tolist() == [[False, True, False]] * 20


def test_rate():
    left = mask(np.ones((3000, 3), bool), 0.3, protected=["audio"])[:, :2]
    assert abs((~left).sum() - 0.3 * 6000) < 5 * math.sqrt(6000 * 0.21)
    assert abs(np.corrcoef(left[:, 0], left[:, 1])[0, 1]) < 5 / math.sqrt(3000)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.booleans()] * 3), min_size=1, max_size=12), st.floats(0, 1), st.floats(0, 1), st.data())
def test_subset_order_nesting_and_last_one(rows, low, high, data):
    present = np.array(rows)
    before = present.copy()
    low, high = min(low, high), max(low, high)
    left = mask(present, high)
    assert (left <= present).all()
    assert (left.any(axis=1) == present.any(axis=1)).all()
    assert (left <= mask(present, low)).all()
    np.testing.assert_array_equal(present, before)
    some = np.array(data.draw(st.permutations(range(len(rows)))))[: max(1, len(rows) // 2)]
    np.testing.assert_array_equal(mask(present[some], high, ids=[f"s{i}" for i in some]), left[some])


def test_wrong_input():
    everything = np.ones((2, 3), bool)
    with pytest.raises(ConfigError, match=r"\[0, 1\], got 1.5"):
        mask(everything, 1.5)
    with pytest.raises(ConfigError, match="Unknown protected modality 'video'"):
        mask(everything, 0.5, protected=["video"])
    with pytest.raises(DataError, match=r"must be \[2, 3\].*got \(2, 2\)"):
        mask(everything[:, :2], 0.5)
