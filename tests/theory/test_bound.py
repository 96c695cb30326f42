import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmf.theory import bound_terms, on_simplex

ALL = np.ones((2, 2), dtype=bool)


def test_two_samples_by_hand():
    w, losses = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.2, 0.8], [0.6, 0.4]])
    b = bound_terms(w, losses, ALL, complexity=[0.1, 0.3], complexity_of_weighted=[0.07, 0.2], delta=0.1)
    assert b.weighted_loss == pytest.approx(0.5 * 0.4 + 0.5 * 0.6)
    assert b.covariance == pytest.approx(-0.1 - 0.1)
    assert b.complexity == pytest.approx(0.5 * 0.1 + 0.5 * 0.3)
    assert b.confidence == pytest.approx(2 * math.sqrt(math.log(10) / 4))
    assert b.theorem_1 == pytest.approx(0.5 - 0.2 + 0.2 + b.confidence)
    assert b.held_out == pytest.approx((0.2 + 0.4) / 2 + math.sqrt(math.log(10) / 4))
    assert b.same_sample == pytest.approx(0.3 + 0.27 + 3 * math.sqrt(math.log(20) / 4))


def test_static_weights_of_the_same_means_differ_by_the_covariance_alone():
    w, losses = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.2, 0.8], [0.6, 0.4]])
    b = bound_terms(w, losses, ALL, complexity=[0.1, 0.3])
    by_hand = bound_terms(np.full((2, 2), 0.5), losses, ALL, complexity=[0.1, 0.3])
    assert b.static().theorem_1 == pytest.approx(by_hand.theorem_1)
    assert b.theorem_1 - b.static().theorem_1 == pytest.approx(b.covariance)


def test_a_complexity_that_is_not_known_is_not_made_up():
    losses = np.full((2, 2), 0.5)
    known = bound_terms(np.array([[1.0, 0.0]] * 2), losses, ALL, complexity=[0.5, math.nan])
    assert known.complexity == 0.5  # the other is never trusted
    unknown = bound_terms(np.full((2, 2), 0.5), losses, ALL)
    assert math.isnan(unknown.theorem_1)
    assert math.isfinite(unknown.held_out)


@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_loss_and_covariance_add_up_to_the_weighted_losses(n, m, seed):
    rng = np.random.default_rng(seed)
    present = rng.random((n, m)) < 0.6
    present[np.arange(n), rng.integers(m, size=n)] = True
    w, losses = on_simplex(rng.random((n, m)), present), np.where(present, rng.random((n, m)), np.nan)
    b = bound_terms(w, losses, present)
    assert b.weighted_loss + b.covariance == pytest.approx(np.nansum(w * losses, axis=1).mean(), abs=1e-12)
