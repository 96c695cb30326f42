from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmf.corruptions import CORRUPTIONS, corrupt, corrupt_vectors

VECTORIAL = [name for name, c in CORRUPTIONS.items() if "vector" in c.kinds]
N, D = 30, 12
IDS = [f"s{i}" for i in range(N)]
X = np.random.default_rng(0).normal(size=(N, D))
KNOWN = {"scale": np.linspace(0, 2, D), "center": np.linspace(-1, 1, D)}
WHO = {"seed": 0, "modality": "m"}


def vectors(name, severity=None, values=X, ids=IDS, rows=None, **parameters):
    return corrupt_vectors(values, name, severity, sample_ids=ids, rows=rows, **WHO, **KNOWN, **parameters)


def test_by_hand():
    x = np.array([1.0, -2.0])
    who = {"kind": "vector", "sample_id": "a", **WHO}
    assert corrupt(x, "feature_gain", 3, **who).tolist() == [2.0, -4.0]
    assert corrupt(x, "zeroed", **who).tolist() == [0.0, 0.0]
    assert corrupt(x, "feature_dropout", rate=1, **who).tolist() == [0.0, 0.0]
    ends = corrupt(x, "feature_salt_and_pepper", rate=1, scale=[1, 2], center=[0, 10], **who)
    assert abs(ends[0]) == 3
    assert abs(ends[1] - 10) == 6
    assert corrupt(x, "feature_gaussian", 5, scale=[0, 0], **who).tolist() == [1.0, -2.0]


@pytest.mark.parametrize("name", VECTORIAL)
def test_rows_are_those_of_corrupt_in_any_order_and_subset(name):
    matrix = vectors(name, 3)
    for i in (0, 7):
        alone = corrupt(X[i], name, 3, kind="vector", sample_id=IDS[i], **WHO, **KNOWN)
        np.testing.assert_array_equal(matrix[i], alone)
    order = np.random.default_rng(1).permutation(N)[:11]
    again = vectors(name, 3, values=X[order], ids=np.array(IDS)[order])
    np.testing.assert_array_equal(again, matrix[order])


@pytest.mark.parametrize("name", VECTORIAL)
def test_rows_left_out_are_copied_unread(name):
    holed, rows = X.copy(), np.arange(N) % 3 > 0
    holed[~rows] = np.nan
    result = vectors(name, 3, values=holed, rows=rows)
    assert np.isnan(result[~rows]).all()
    np.testing.assert_array_equal(result[rows], vectors(name, 3)[rows])


def test_gaussian_is_in_training_standard_deviations():
    big = np.zeros((4000, D))
    noise = vectors("feature_gaussian", sigma=0.5, values=big, ids=np.arange(4000))
    expected = 0.5 * KNOWN["scale"]
    assert (np.abs(noise.std(axis=0) - expected) <= 5 * expected / math.sqrt(8000)).all()


@pytest.mark.parametrize(
    ("name", "become", "expected"),
    [
        ("feature_dropout", np.zeros(D), 0.3),
        ("feature_salt_and_pepper", (KNOWN["center"] + 3 * KNOWN["scale"])[1:], 0.15),
        ("feature_salt_and_pepper", (KNOWN["center"] - 3 * KNOWN["scale"])[1:], 0.15),
    ],
)
def test_rates(name, become, expected):
    result = vectors(name, rate=0.3, values=np.full((500, D), 100.0), ids=np.arange(500))[:, -len(become) :]
    n = result.size
    assert abs((result == become).sum() - expected * n) < 5 * math.sqrt(n * expected * (1 - expected))


def test_a_stuck_sensor_says_the_same_to_every_sample():
    stuck = vectors("feature_stuck", rate=0.5)
    held = (stuck == stuck[0]).all(axis=0)
    assert held.sum() == 6
    np.testing.assert_array_equal(stuck[:, ~held], X[:, ~held])
    low, high = (KNOWN["center"] + side * KNOWN["scale"] for side in (-3, 3))
    assert ((stuck[0] >= low) & (stuck[0] <= high))[held].all()


def test_ids_count_as_their_text():
    numbers = np.arange(N)
    as_text = vectors("feature_gaussian", 3, ids=[str(i) for i in numbers])
    np.testing.assert_array_equal(vectors("feature_gaussian", 3, ids=numbers), as_text)
    np.testing.assert_array_equal(vectors("feature_gaussian", 3, ids=numbers.astype(str)), as_text)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(VECTORIAL), st.integers(1, 5), st.sampled_from([np.float16, np.float32, np.float64]))
def test_type_and_input_are_kept(name, severity, dtype):
    values = X.astype(dtype)
    before = values.copy()
    result = vectors(name, severity, values=values)
    assert (result.shape, result.dtype) == (X.shape, dtype)
    np.testing.assert_array_equal(values, before)
