import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmf.theory import covariance_tests, on_simplex
from qmf.theory.bootstrap import filled_losses


def test_four_samples_by_hand():
    w = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    losses = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    (first, second), total = covariance_tests(w, losses, np.ones((4, 2), dtype=bool))
    assert first.covariance == pytest.approx(-0.2)  # mean of (0.4 * -0.5) four times
    assert second.covariance == pytest.approx(0.0)
    assert total.covariance == pytest.approx(-0.2)
    assert first.effective == 4  # all four say the same
    assert first.upper <= 0 < second.upper


def test_what_is_absent_counts_with_the_mean_loss():
    losses = np.array([[0.2, 0.5], [0.4, np.nan], [np.nan, 0.1]])
    present = ~np.isnan(losses)
    np.testing.assert_allclose(filled_losses(losses, present), [[0.2, 0.5], [0.4, 0.3], [0.3, 0.1]])
    np.testing.assert_allclose(filled_losses(np.full((2, 1), np.nan), np.zeros((2, 1), dtype=bool)), 0)


def test_weights_that_do_not_vary_have_exactly_no_covariance():
    rng = np.random.default_rng(0)
    present = rng.random((50, 3)) < 0.8
    present[:, 0] = True
    tests, _ = covariance_tests(np.where(present, 1 / 3, 0) + 1e-9 * rng.random((50, 3)), rng.random((50, 3)), present)
    assert [(t.covariance, t.lower, t.upper) for t in tests] == [(0.0, 0.0, 0.0)] * 3


@given(st.integers(0, 2**32 - 1))
def test_the_covariance_is_that_of_the_losses_with_means_filled_in(seed):
    rng = np.random.default_rng(seed)
    present = rng.random((30, 3)) < 0.7
    present[:, rng.integers(3)] = True
    w, losses = on_simplex(rng.random((30, 3)), present), np.where(present, rng.random((30, 3)), np.nan)
    tests, total = covariance_tests(w, losses, present, resamples=20)
    filled = filled_losses(losses, present)
    for m, test in enumerate(tests):
        naive = np.mean(w[:, m] * filled[:, m]) - np.mean(w[:, m]) * np.mean(filled[:, m])
        there = present[:, m]
        of_present = np.cov(w[there, m], losses[there, m], bias=True)[0, 1] * there.mean()
        assert test.covariance == pytest.approx(naive, abs=1e-12)
        assert test.covariance == pytest.approx(of_present, abs=1e-12)
        assert 1 <= test.effective <= 30 + 1e-9
    assert total.covariance == pytest.approx(sum(t.covariance for t in tests), abs=1e-12)


def test_intervals_are_those_of_a_naive_bootstrap():
    rng = np.random.default_rng(5)
    w, losses = rng.random((200, 1)), rng.random((200, 1))
    (test,), _ = covariance_tests(w, losses, np.ones((200, 1), dtype=bool), resamples=4000)
    drawn = [rng.integers(200, size=200) for _ in range(4000)]
    values = [np.cov(w[i, 0], losses[i, 0], bias=True)[0, 1] for i in drawn]
    low, high = np.quantile(values, [0.05, 0.95])
    assert test.lower == pytest.approx(low, abs=0.1 * (high - low))
    assert test.upper == pytest.approx(high, abs=0.1 * (high - low))
    assert test.p == pytest.approx(np.mean(np.array(values) >= 0), abs=0.05)


@pytest.mark.parametrize("kind", ["many losses", "few losses"])
def test_weights_that_say_nothing_are_seldom_certified(kind):
    """Cov = 0: its upper end may fall below 0 in one of twenty draws, its lower end may rise above."""
    below = above = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        w = rng.beta(2, 2, size=(60, 1))
        losses = rng.beta(0.5, 2, size=(60, 1))
        if kind == "few losses":
            losses = np.where(rng.random((60, 1)) < 0.05, losses, 0.02)
        (test,), _ = covariance_tests(
            np.hstack([w, 1 - w])[:, :1], losses, np.ones((60, 1), dtype=bool), resamples=400, random_state=seed
        )
        below += test.upper < 0
        above += test.lower > 0
    assert below <= 300 * 0.05 + 2 * math.sqrt(300 * 0.05 * 0.95)
    assert above <= 300 * 0.05 + 2 * math.sqrt(300 * 0.05 * 0.95)
