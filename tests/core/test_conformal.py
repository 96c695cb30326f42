"""Conformal prediction against cases worked by hand, naive loops, and the exact count that exchangeability gives."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmf import ConfigError
from qmf.conformal import aps_scores, conformal_quantile, lac_scores, prediction_sets

THREE = np.array([[0.5, 0.3, 0.2]])

probabilities = st.lists(st.integers(1, 50), min_size=2, max_size=6).map(lambda w: np.array([w]) / sum(w))


def test_lac_by_hand():
    np.testing.assert_allclose(lac_scores(THREE), [[0.5, 0.7, 0.8]])


def test_aps_by_hand():
    """Of 0.5, 0.3, 0.2 with u = 0.5: 0.25; 0.5 + 0.15; 0.8 + 0.1."""
    np.testing.assert_allclose(aps_scores(THREE, np.array([0.5])), [[0.25, 0.65, 0.9]])


def test_the_quantile_by_hand():
    """Nine scores, alpha = 0.2: the 8th of 9, since ceil(10 x 0.8) = 8; alpha = 0.05 needs 19."""
    scores = np.array([0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.5])
    assert conformal_quantile(scores, 0.2) == 0.8
    assert conformal_quantile(scores, 0.1) == 0.9
    assert conformal_quantile(scores, 0.05) == math.inf
    assert conformal_quantile(np.arange(19), 0.05) == 18  # 20 x 0.95 is 19, not 19.000000000000004
    assert conformal_quantile(np.array([]), 0.5) == math.inf


def test_sets_by_hand():
    """A quantile per group; a sample of no group has every class in its set."""
    scores = np.array([[0.2, 0.8], [0.2, 0.8], [0.2, 0.8]])
    sets = prediction_sets(scores, np.array([0, 1, -1]), np.array([0.5, 0.1]))
    assert sets.tolist() == [[True, False], [False, False], [True, True]]


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_an_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(ConfigError, match="alpha"):
        conformal_quantile(np.arange(9.0), alpha)


@given(probabilities)
def test_lac_is_one_minus_the_probability(p):
    np.testing.assert_allclose(lac_scores(p), 1 - p, atol=1e-12)


def test_lac_keeps_digits_that_one_minus_would_lose():
    p = np.array([[1.0, 1e-20], [1.0, 3e-20]])
    np.testing.assert_array_equal(lac_scores(p)[:, 0], [1e-20, 3e-20])


@given(probabilities, st.floats(0, 1, exclude_max=True))
def test_aps_against_a_loop(p, u):
    """What is above a class, and of equals those that come first; then a share u of its own."""
    row = p[0]
    for k, score in enumerate(aps_scores(p, np.array([u]))[0]):
        above = sum(v for j, v in enumerate(row) if v > row[k] or (v == row[k] and j < k))
        assert score == pytest.approx(above + u * row[k], abs=1e-12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40, unique=True), st.floats(0.01, 0.99))
def test_coverage_is_exact_among_exchangeable_scores(scores, alpha):
    """Each of n + 1 different scores may be the new one: the quantiles of the others cover a known number of them."""
    covered = sum(s <= conformal_quantile(np.array(scores[:i] + scores[i + 1 :]), alpha) for i, s in enumerate(scores))
    assert covered == min(len(scores), math.ceil(len(scores) * (1 - alpha) - 1e-9))


@given(st.integers(0, 10_000), st.sampled_from(["lac", "aps"]))
def test_neither_the_order_of_samples_nor_that_of_classes_matters(seed, method):
    rng = np.random.default_rng(seed)
    p, u = rng.dirichlet(np.ones(4), size=12), rng.random(12)
    score = (lambda q, v: lac_scores(q)) if method == "lac" else aps_scores
    rows, columns = rng.permutation(12), rng.permutation(4)
    expected = score(p, u)[rows][:, columns]
    np.testing.assert_allclose(score(p[rows][:, columns], u[rows]), expected, atol=1e-12)


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_cover_as_often_as_promised_on_fresh_draws(method):
    """200 draws of 60 held-out samples and 60 new ones, from probabilities that are wrong: coverage all the same."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        said = rng.dirichlet(np.ones(4), size=120)
        true = said**0.5 / (said**0.5).sum(axis=1, keepdims=True)  # far less sure than is said
        y = (rng.random(120)[:, None] > true.cumsum(axis=1)).sum(axis=1)
        scores = lac_scores(said) if method == "lac" else aps_scores(said, rng.random(120))
        q = conformal_quantile(scores[np.arange(60), y[:60]], 0.1)
        covered.append(
            prediction_sets(scores[60:], np.zeros(60, dtype=int), np.array([q]))[np.arange(60), y[60:]].mean()
        )
    assert np.mean(covered) == pytest.approx(55 / 61, abs=0.01)  # ceil(61 x 0.9) of 61


def test_aps_scores_of_right_probabilities_are_uniform():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), size=20_000)
    y = (rng.random(len(p))[:, None] > p.cumsum(axis=1)).sum(axis=1)
    scores = aps_scores(p, rng.random(len(p)))[np.arange(len(p)), y]
    np.testing.assert_allclose(np.quantile(scores, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02)
