import itertools
import math

import numpy as np
import pytest

from qmf.theory import LinearHead, bounded_loss, contraction_factor, head_complexity, lipschitz_constant


def exact(features, norm, k, weights=None):
    """Give the mean over all 2^(n K) signs."""
    n, norms = len(features), []
    for signs in itertools.product([-1.0, 1.0], repeat=n * k):
        squared = 0.0
        for c in range(k):
            summed = sum(signs[c * n + i] * (1 if weights is None else weights[i]) * features[i] for i in range(n))
            squared += float(np.dot(summed, summed))
        norms.append(math.sqrt(squared))
    return norm / n * float(np.mean(norms))


def test_two_samples_by_hand():
    # One class, h = 1 and 1: the sum of signs is 2, 0, 0 or -2, its size 1 on average; B / n = 3 / 2.
    found = head_complexity(LinearHead(np.ones((2, 1)), norm=3.0), 1, draws=4000)
    assert found.monte_carlo == pytest.approx(1.5, abs=4 * found.standard_error)
    assert found.norm_bound == pytest.approx(1.5 * math.sqrt(2))


@pytest.mark.parametrize("weights", [None, np.array([0.1, 0.9, 0.5])])
def test_monte_carlo_agrees_with_all_signs(weights):
    h = np.random.default_rng(0).normal(size=(3, 2))
    found = head_complexity(LinearHead(h, norm=2.0), 3, weights=weights, draws=5000)
    truth = exact(h, 2.0, 3, weights)
    assert found.monte_carlo == pytest.approx(truth, abs=4 * found.standard_error)
    assert 0 < truth <= found.norm_bound


def test_the_supremum_is_reached_inside_the_ball():
    # E sup over a ball, by trying heads: none beats the closed form, the one along the signed sum reaches it.
    rng = np.random.default_rng(1)
    h, signs = rng.normal(size=(5, 3)), rng.choice([-1.0, 1.0], size=(4, 5))
    best = 2.0 * np.linalg.norm(signs @ h)
    heads = rng.normal(size=(2000, 4, 3))
    heads *= 2.0 / np.linalg.norm(heads, axis=(1, 2), keepdims=True)
    values = np.einsum("bkd,nd,kn->b", heads, h, signs)
    assert values.max() <= best
    along = 2.0 * (signs @ h) / np.linalg.norm(signs @ h)
    assert np.einsum("kd,nd,kn->", along, h, signs) == pytest.approx(best)


def test_keyed_and_without_samples():
    head = LinearHead(np.random.default_rng(0).normal(size=(6, 2)), norm=1.0)
    assert head_complexity(head, 2, random_state=3) == head_complexity(head, 2, random_state=3)
    assert head_complexity(head, 2, random_state=3) != head_complexity(head, 2, random_state=4)
    assert math.isnan(head_complexity(LinearHead(np.zeros((0, 2)), 1.0), 2).monte_carlo)


@pytest.mark.parametrize("k", [2, 3, 10, 101])
def test_the_lipschitz_constant_is_never_exceeded_and_reached(k):
    rng = np.random.default_rng(0)

    def loss(z):
        p = np.exp(z - z.max(axis=-1, keepdims=True))
        return bounded_loss((p / p.sum(axis=-1, keepdims=True))[..., 0], k)

    z = rng.normal(0, 4, size=(20000, k))
    step = rng.normal(size=z.shape)
    step *= 1e-4 / np.linalg.norm(step, axis=1, keepdims=True)
    constant = lipschitz_constant(k)
    assert (np.abs(loss(z + step) - loss(z)) <= constant * 1e-4 * (1 + 1e-6)).all()
    # One other class has all the rest: the steepest way goes from it to the true one.
    others = np.full((4000, k), -60.0)
    others[:, 0], others[:, 1] = np.linspace(-12, 2, 4000), 0.0
    along = np.zeros(k)
    along[:2] = [1e-4 / math.sqrt(2), -1e-4 / math.sqrt(2)]
    steepest = np.abs(loss(others + along) - loss(others)).max() / 1e-4
    assert steepest == pytest.approx(constant, rel=1e-3)
    assert contraction_factor(k) == pytest.approx(2 * math.sqrt(2) * constant)
