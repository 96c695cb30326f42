"""Calibration by pattern, with a model made of numbers."""

import numpy as np
import pytest
from scipy.special import softmax

from qmf import ConfigError
from qmf.abstention import abstain_reasons
from qmf.calibration import FEWEST, Answers, best_temperature, calibrate_patterns
from qmf.calibration.temperature import left_out_temperatures
from qmf.conformal import conformal_quantile

M, K = 2, 3


class World:
    """Two modalities; the fused logits are the sum of theirs, too large by a factor that is known."""

    def __init__(self, n, seed=0, too_sure=2.0, absent=0.2):
        rng = np.random.default_rng(seed)
        f = rng.normal(0, 1.5, (n, M, K))
        self.present = rng.random((n, M)) >= absent
        self.present[~self.present.any(axis=1), 0] = True
        p = softmax(f.sum(axis=1), axis=1)  # whether a modality is there has nothing to do with the class
        self.y = (rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1)
        self.f, self.too_sure = f, too_sure
        self.ids = np.array([f"s{seed}-{i}" for i in range(n)])
        self.asked = []

    def ask(self, rows, kept):
        self.asked.append((kept.tolist(), len(rows)))
        assert self.present[rows][:, kept].all()
        logits = self.too_sure * (self.f[rows] * kept[:, None]).sum(axis=1)
        alone = softmax(self.f[rows], axis=2)
        return Answers(logits, alone, np.full((len(rows), M), np.nan))

    def calibrate(self, order=None, seed=0):
        order = np.arange(len(self.y)) if order is None else order

        def look(rows):
            return lambda chosen, kept: self.ask(order[rows[chosen]], kept)

        return calibrate_patterns(look, self.present[order], self.y[order], self.ids[order], seed=seed)


@pytest.fixture(scope="module")
def world():
    return World(2000)


@pytest.fixture(scope="module")
def calibration(world):
    return world.calibrate()


def test_each_pattern_has_the_samples_that_have_its_modalities(world, calibration):
    assert calibration.patterns.tolist() == [[True, True], [True, False], [False, True]]
    expected = [world.present[:, pattern].all(axis=1).sum() for pattern in calibration.patterns]
    assert calibration.counts.tolist() == expected


def test_the_temperature_undoes_what_was_too_sure_and_changes_no_label(world, calibration):
    both = np.flatnonzero(world.present.all(axis=1))
    logits = world.ask(both, np.array([True, True])).logits
    assert calibration.temperature[0] == pytest.approx(2.0, rel=0.15)
    assert calibration.temperature[0] == best_temperature(logits, world.y[both])
    t = calibration.temperatures(world.present[both])
    np.testing.assert_array_equal((logits / t[:, None]).argmax(axis=1), logits.argmax(axis=1))


def test_a_few_right_answers_are_not_taken_for_certainty():
    """60 samples, all right with odds of e^3: the likelihood alone asks for certainty, one in 62 is kept back."""
    logits, y = np.tile([3.0, 0.0], (60, 1)), np.zeros(60, dtype=int)
    assert softmax(logits[0] / best_temperature(logits, y))[0] == pytest.approx(61 / 62, rel=1e-4)


@pytest.mark.parametrize("n", [60, 400])
def test_leaving_one_out_in_one_step_is_close_to_doing_it(n):
    world = World(n, seed=5, absent=0.0)
    logits = world.ask(np.arange(n), np.array([True, True])).logits
    one_step = left_out_temperatures(logits, world.y, best_temperature(logits, world.y))
    kept = [np.arange(n) != i for i in range(n)]
    exact = [best_temperature(logits[rows], world.y[rows]) for rows in kept]
    np.testing.assert_allclose(one_step, exact, rtol=0.02 * 60 / n)
    assert np.std(one_step) > 0


def test_no_sample_has_a_say_in_its_own_score(world):
    """With its label changed, its score is that of another class at the very same temperature."""
    row = int(np.flatnonzero(world.present.all(axis=1))[0])
    changed = World(2000)
    changed.y[row] = (world.y[row] + 1) % K
    logits = world.ask(np.array([row]), np.array([True, True])).logits
    grid = np.linspace(1.0, 3.0, 400_001)
    p = softmax(logits / grid[:, None], axis=1)
    found = [grid[np.abs(1 - p[:, w.y[row]] - w.calibrate().lac[0, row]).argmin()] for w in (world, changed)]
    assert found[0] == pytest.approx(found[1], abs=1e-3)


def test_nothing_depends_on_the_order_of_the_held_out_samples(world, calibration):
    order = np.random.default_rng(1).permutation(len(world.y))
    other = world.calibrate(order)
    np.testing.assert_allclose(other.temperature, calibration.temperature, rtol=1e-6)
    for name in ("lac", "aps", "confidence"):
        np.testing.assert_allclose(getattr(other, name), getattr(calibration, name)[:, order], rtol=1e-6)


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_cover_in_each_pattern_of_a_new_world(calibration, method):
    new = World(3000, seed=1)
    logits = new.too_sure * (new.f * new.present[..., None]).sum(axis=1)
    p = softmax(logits / calibration.temperatures(new.present)[:, None], axis=1)
    sets, valid = calibration.sets(p, new.present, new.ids, alpha=0.2, method=method)
    assert valid.all()
    for position in range(3):
        rows = calibration.positions(new.present) == position
        assert sets[rows, new.y[rows]].mean() == pytest.approx(0.8, abs=0.06)  # 3 deviations


def test_lac_sets_by_hand(calibration):
    """A class is in the set if its probability is at least one minus the quantile of its own pattern."""
    p = np.array([[0.6, 0.3, 0.1]] * 2)
    present = np.array([[True, True], [True, False]])
    sets, _ = calibration.sets(p, present, np.array(["x", "y"]), alpha=0.3)
    for row, position in enumerate((0, 1)):
        scores = calibration.lac[position]
        q = conformal_quantile(scores[~np.isnan(scores)], 0.3)
        assert sets[row].tolist() == (1 - p[row] <= q).tolist()


def test_a_pattern_with_too_few_samples_promises_nothing():
    few = World(400, absent=0.0)
    few.present[FEWEST - 1 :, 1] = False  # the second modality is there 49 times
    calibration = few.calibrate()
    assert calibration.patterns.tolist() == [[True, False]]
    both = np.array([[True, True], [True, False]])
    sets, valid = calibration.sets(np.array([[0.9, 0.05, 0.05]] * 2), both, np.array(["a", "b"]))
    assert valid.tolist() == [False, True]
    assert sets[0].all()
    assert calibration.temperatures(both)[0] == 1.0
    assert np.isnan(calibration.required(0.1, both)[0])


def test_too_few_samples_altogether_give_no_calibration():
    assert World(FEWEST - 1).calibrate() is None


def test_a_risk_target_holds_in_a_new_world(calibration):
    new = World(4000, seed=2)
    logits = new.too_sure * (new.f * new.present[..., None]).sum(axis=1)
    p = softmax(logits / calibration.temperatures(new.present)[:, None], axis=1)
    unknown = np.full(new.present.shape, np.nan)
    required = calibration.required(0.2, new.present)
    reasons = abstain_reasons(softmax(new.f, axis=2), unknown, new.present, p.max(axis=1), required=required)
    given = reasons == ""
    assert set(reasons) == {"", "conflict", "too uncertain"}
    assert given.mean() > 0.2
    assert (p.argmax(axis=1) != new.y)[given].mean() < 0.2


def test_a_set_belongs_to_the_sample_and_not_to_its_company(calibration):
    rng = np.random.default_rng(0)
    p, present, ids = rng.dirichlet(np.ones(K), 30), np.ones((30, M), dtype=bool), np.arange(30).astype(str)
    whole, _ = calibration.sets(p, present, ids, method="aps")
    rows = rng.permutation(30)[:7]
    part, _ = calibration.sets(p[rows], present[rows], ids[rows], method="aps")
    np.testing.assert_array_equal(part, whole[rows])


def test_large_sets_contain_small_ones(calibration):
    rng = np.random.default_rng(0)
    p, present, ids = rng.dirichlet(np.ones(K), 30), np.ones((30, M), dtype=bool), np.arange(30).astype(str)
    for method in ("lac", "aps"):
        small, large = (calibration.sets(p, present, ids, alpha=a, method=method)[0] for a in (0.3, 0.05))
        assert (large | ~small).all()


def test_arrays_and_back(calibration):
    again = type(calibration).from_arrays(calibration.to_arrays(), calibration.seed)
    for name, values in calibration.to_arrays().items():
        np.testing.assert_array_equal(getattr(again, name), values)
    with pytest.raises(KeyError, match="aps"):
        type(calibration).from_arrays({k: v for k, v in calibration.to_arrays().items() if k != "aps"}, 0)


def test_errors(calibration):
    one = np.array([[0.5, 0.3, 0.2]]), np.ones((1, M), dtype=bool), np.array(["a"])
    with pytest.raises(ConfigError, match="method='raps' does not exist; expected 'lac' or 'aps'"):
        calibration.sets(*one, method="raps")
    with pytest.raises(ConfigError, match="alpha=0"):
        calibration.sets(*one, alpha=0)
    with pytest.raises(ConfigError, match="risk=2"):
        calibration.required(2, one[1])
