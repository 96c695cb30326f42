"""What is damaged, for whom, and that it belongs to seed and sample alone."""

import numpy as np
import pytest

from qmf.benchmark.conditions import CLEAN, VECTOR_SUITE, damaged_part, missing_patterns
from qmf.benchmark.part import Part
from qmf.corruptions import DEVELOPMENT


def part(n=400, views=3):
    rng = np.random.default_rng(0)
    features = {f"v{m}": rng.normal(2, 1, (n, 4)).astype(np.float32) for m in range(views)}
    present = np.ones((n, views), dtype=bool)
    present[::10, 0] = False
    return Part(features, present, rng.integers(0, 3, n), np.zeros_like(present), np.arange(n).astype(str))


def test_half_is_hit_and_the_rest_is_left_alone():
    test = part()
    for condition in [c for c in VECTOR_SUITE[1:] if c.in_suite]:
        damaged = damaged_part(test, test, condition, seed=0)
        share = damaged.damaged[test.present].mean()
        assert 0.4 < share < 0.6
        for m, (name, x) in enumerate(test.features.items()):
            same = (damaged.features[name] == x).all(axis=1)
            assert same[~damaged.damaged[:, m]].all()
            if condition.family in ("gaussian noise", "gain", "zeroed", "stuck"):  # the others may change nothing
                assert not same[damaged.damaged[:, m]].any()
        assert not damaged.damaged[~test.present].any()
    assert damaged_part(test, test, CLEAN, seed=0) is test


def test_damage_belongs_to_seed_and_sample():
    test = part()
    rows = np.array([17, 3, 250])
    for condition in VECTOR_SUITE:
        if condition.corruption in ("swapped", "conflicting"):  # they take views of other samples
            continue
        whole = damaged_part(test, test, condition, seed=1)
        some = damaged_part(test.take(rows), test, condition, seed=1)
        np.testing.assert_array_equal(some.features["v1"], whole.features["v1"][rows])


# Neither a swap (1/2) nor noise (1/2 of 2/3, since a third of the noisy have an empty set of views); 0.6 times 0.93.
@pytest.mark.parametrize(("name", "untouched"), [("conflicting (RCML)", 1 / 3), ("conflicting 10+40 %", 0.56)])
def test_conflicting_swaps_one_view_of_some_and_adds_noise_to_some(name, untouched):
    test = part(2000)
    (condition,) = [c for c in VECTOR_SUITE if c.name == name]
    damaged = damaged_part(test, test, condition, seed=0)
    clean = ~damaged.damaged.any(axis=1)
    assert untouched - 0.06 < clean.mean() < untouched + 0.06
    assert (damaged.damaged.sum(axis=1) <= 3).all()
    for name, x in test.features.items():
        np.testing.assert_array_equal(damaged.features[name][clean], x[clean])


def test_missing_patterns_and_names():
    assert [c.name for c in missing_patterns(["a", "b"])] == ["only a", "only b"]
    assert [c.missing for c in missing_patterns(["a", "b", "c"])][:1] == [("b", "c")]
    test = part()
    only = damaged_part(test, test, missing_patterns(["v0", "v1", "v2"])[0], seed=0)
    assert len(only) == 360  # samples without that view cannot be asked
    assert only.present.sum() == 360
    assert not {c.corruption for c in VECTOR_SUITE} & DEVELOPMENT
