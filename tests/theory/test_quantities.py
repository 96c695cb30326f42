import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmf.theory import bounded_loss, covariance, fused, fused_loss, on_simplex

LARGEST = math.log(2 / 0.05)  # K = 2


def test_loss_by_hand():
    # q = 0.95 p + 0.025: 0.025 for p = 0, 0.5 for p = 0.5, 0.975 for p = 1.
    expected = [1.0, math.log(2) / LARGEST, -math.log(0.975) / LARGEST]
    np.testing.assert_allclose(bounded_loss(np.array([0.0, 0.5, 1.0]), 2), expected)


def test_fused_loss_by_hand():
    # One modality that has all the weight: f = log q, and its softmax is q.
    p, w = np.array([[[0.0, 1.0], [0.5, 0.5]]]), np.array([[1.0, 0.0]])
    f = fused(p, w)
    np.testing.assert_allclose(f, np.log([[0.025, 0.975]]))
    np.testing.assert_allclose(fused_loss(f, np.array([0])), [1.0])
    # Half each of two that say the opposite: f_1 = f_2, a guess.
    f = fused(np.array([[[0.2, 0.8], [0.8, 0.2]]]), np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(fused_loss(f, np.array([1])), [math.log(2) / LARGEST])


def test_simplex_by_hand():
    weights = np.array([[1.0, 3.0], [-2.0, 1.0], [0.0, 0.0], [-1.0, -1.0], [5.0, np.nan]])
    present = np.array([[True, True]] * 4 + [[True, False]])
    expected = [[0.25, 0.75], [0, 1], [0.5, 0.5], [0.5, 0.5], [1, 0]]
    np.testing.assert_allclose(on_simplex(weights, present), expected)


def test_covariance_by_hand():
    assert covariance(np.array([1.0, 0.0]), np.array([0.2, 0.6])) == pytest.approx(-0.1)
    assert math.isnan(covariance(np.ones(1), np.ones(1)))


@given(st.integers(1, 4), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_the_fused_loss_is_never_above_the_weighted_losses(m, k, seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.3), size=(20, m))
    w, y = rng.dirichlet(np.full(m, 0.5), size=20), rng.integers(0, k, 20)
    losses = bounded_loss(p[np.arange(20), :, y], k)
    loss = fused_loss(fused(p, w), y)
    assert (losses >= 0).all()
    assert (losses <= 1).all()
    assert (loss >= 0).all()
    assert (loss <= (w * losses).sum(axis=1) + 1e-12).all()
