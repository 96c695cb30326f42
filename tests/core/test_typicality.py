"""Typicality: shrinkage, two sides, cross-fitting, few vectors, saving."""

import numpy as np
import pytest
import torch
from sklearn.covariance import ledoit_wolf

from qmf.typicality import Typicality, shrinkage


def correlated(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=torch.Generator().manual_seed(99))
    return torch.randn(n, d, generator=generator) @ mixing


@pytest.fixture(scope="module")
def fitted():
    typicality = Typicality()
    typicality.fit(correlated(600, 12))
    return typicality


@pytest.mark.parametrize(("n", "d"), [(50, 8), (20, 60), (400, 5)])
def test_the_shrinkage_is_ledoit_and_wolfs(n, d):
    x = correlated(n, d).double()
    r = x - x.mean(dim=0)
    share, scale = shrinkage(r)
    expected, alpha = ledoit_wolf(x.numpy())
    assert float(share) == pytest.approx(alpha, rel=1e-9)
    ours = (1 - share) * (r.T @ r / n) + share * scale * torch.eye(d, dtype=torch.float64)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-9)


def test_fresh_vectors_are_typical_and_broken_ones_are_not(fitted):
    fresh = correlated(2000, 12, seed=1)
    spread = fresh.std(dim=0)
    assert (fitted.evidence(fresh) < 3).float().mean() > 0.97
    for broken in (fresh + 3 * spread * torch.randn(2000, 12), 5 * fresh):
        assert (fitted.evidence(broken) > 3).float().mean() > 0.97


def test_a_dead_sensor_is_too_close_to_the_middle():
    typicality = Typicality()
    typicality.fit(correlated(600, 80))
    assert float(typicality.evidence(torch.zeros(1, 80))) > 10


def test_one_category_is_typical_whatever_it_is():
    typicality = Typicality()
    one_hot = torch.eye(5)[torch.arange(600) % 5]
    typicality.fit(one_hot)
    assert bool((typicality.evidence(torch.eye(5)) < 1).all())


def test_skewed_features_do_not_hide_damage():
    x = correlated(800, 12).exp()
    typicality = Typicality()
    typicality.fit(x[:600])
    assert (typicality.evidence(x[600:]) < 3).float().mean() > 0.95
    assert (typicality.evidence(-x[600:]) > 3).float().mean() > 0.95


def test_more_features_than_directions_kept():
    x = correlated(120, 300)
    typicality = Typicality()
    typicality.fit(x[:100])
    assert (typicality.evidence(x[100:]) < 3).float().mean() >= 0.8
    assert (typicality.evidence(x[100:] + 3 * x.std() * torch.randn(20, 300)) > 3).float().mean() >= 0.9


def test_nothing_is_learnt_from_too_few():
    typicality = Typicality()
    typicality.fit(torch.randn(29, 3))
    assert not typicality.fitted
    assert typicality.evidence(torch.full((2, 3), 1e6)).tolist() == [0.0, 0.0]


def test_the_state_of_another_size_is_taken(fitted):
    other = Typicality()
    other.load_state_dict(fitted.state_dict())
    x = correlated(5, 12, seed=2)
    assert torch.equal(other.evidence(x), fitted.evidence(x))


def test_a_vector_does_not_depend_on_its_batch(fitted):
    x = correlated(64, 12, seed=3)
    twin = Typicality()
    twin.load_state_dict(fitted.state_dict())
    twin.double()
    torch.testing.assert_close(
        twin.evidence(x), torch.cat([twin.evidence(row[None]) for row in x]), rtol=1e-9, atol=1e-9
    )
