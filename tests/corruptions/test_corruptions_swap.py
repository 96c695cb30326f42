from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmf.corruptions import swap_partner
from qmf.errors import ConfigError, DataError
from qmf.randomness import derive_seed


def naive(ids, labels, seed, modality):
    """Walk the circle from each start; labels are the ids themselves where any other sample will do."""
    places = {i: derive_seed(seed, "swap", "place", sample, modality) for i, sample in enumerate(ids)}
    circle = sorted(places, key=places.get)
    partners = []
    for sample, label in zip(ids, labels, strict=True):
        start = derive_seed(seed, "swap", "start", sample, modality)
        ahead = [i for i in circle if places[i] >= start] + [i for i in circle if places[i] < start]
        partners.append(next(i for i in ahead if labels[i] != label))
    return partners


def test_by_hand():
    assert swap_partner(["a", "b"], seed=0, modality="m").tolist() == [1, 0]
    assert swap_partner("abc", [0, 0, 1], seed=0, modality="m", other_class=True)[:2].tolist() == [2, 2]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 25), st.integers(2, 4), st.integers(0, 99), st.booleans())
def test_is_the_naive_walk(n, k, seed, other_class):
    ids = [f"s{i}" for i in range(n)]
    labels = [f"class{i % k}" for i in range(n)]
    partner = swap_partner(ids, labels, seed=seed, modality="m", other_class=other_class)
    assert partner.tolist() == naive(ids, labels if other_class else ids, seed, "m")
    assert (partner != np.arange(n)).all()
    if other_class:
        assert all(labels[i] != labels[j] for i, j in enumerate(partner))


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(15)), st.booleans())
def test_order_does_not_matter(order, other_class):
    ids, labels = np.array([f"s{i}" for i in range(15)]), np.arange(15) % 3
    options = {"seed": 0, "modality": "m", "other_class": other_class}
    partner = ids[swap_partner(ids, labels, **options)]
    shuffled = ids[order][swap_partner(ids[order], labels[order], **options)]
    np.testing.assert_array_equal(shuffled, partner[order])


def test_one_more_sample_moves_few_and_keys_matter():
    ids = [f"s{i}" for i in range(400)]
    partner = swap_partner(ids, seed=0, modality="m")
    assert (partner != swap_partner([*ids, "new"], seed=0, modality="m")[:400]).sum() < 20
    assert (partner != swap_partner(ids, seed=1, modality="m")).sum() > 350
    assert (partner != swap_partner(ids, seed=0, modality="other")).sum() > 350
    assert len(set(partner.tolist())) > 150


def test_wrong_input():
    who = {"seed": 0, "modality": "m"}
    with pytest.raises(ConfigError, match="needs labels"):
        swap_partner("ab", other_class=True, **who)
    with pytest.raises(DataError, match="1 repeat"):
        swap_partner(["a", "a", "b"], **who)
    with pytest.raises(DataError, match="two samples"):
        swap_partner(["a"], **who)
    with pytest.raises(DataError, match="two classes"):
        swap_partner("ab", [1, 1], other_class=True, **who)
    with pytest.raises(DataError, match="2 samples but 3 labels"):
        swap_partner("ab", [1, 2, 3], other_class=True, **who)
