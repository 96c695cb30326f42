"""Answering with a risk target: bounds by hand, and a world in which the true risk is known."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from qmf import ConfigError
from qmf.selective import error_bound, risk_threshold


def test_the_bound_by_hand():
    assert float(error_bound(0, 10, 0.05)) == pytest.approx(1 - 0.05**0.1)  # (1 - p)^10 = 0.05
    assert float(error_bound(0, 0, 0.05)) == 1.0
    assert float(error_bound(7, 7, 0.05)) == 1.0


@pytest.mark.parametrize(("errors", "answered"), [(1, 20), (5, 80), (30, 200)])
def test_so_few_errors_have_probability_delta_at_the_bound(errors, answered):
    assert binom.cdf(errors, answered, float(error_bound(errors, answered, 0.01))) == pytest.approx(0.01)


def test_all_is_answered_where_nothing_is_wrong():
    confidence = np.linspace(0.5, 1, 200)
    assert risk_threshold(confidence, np.ones(200, dtype=bool), 0.05) == 0.5


def test_nothing_is_answered_where_too_little_is_known():
    """Without an error, 50 samples show no more than 1 - 0.05^(1/50), about 6 %."""
    assert risk_threshold(np.linspace(0.5, 1, 50), np.ones(50, dtype=bool), 0.05) == math.inf
    assert risk_threshold(np.full(200, -np.inf), np.ones(200, dtype=bool), 0.05) == math.inf


def test_equal_confidences_are_answered_together():
    """The right ones among equals come first, and must not pass without the wrong ones."""
    confidence = np.repeat([0.9, 0.6], 150)
    correct = np.r_[np.ones(225, dtype=bool), np.zeros(75, dtype=bool)]
    assert risk_threshold(confidence, correct, 0.05) == 0.9


def test_one_error_at_the_very_top_does_not_forbid_all_answers():
    correct = np.ones(400, dtype=bool)
    correct[-2:] = False
    assert risk_threshold(np.linspace(0, 1, 400), correct, 0.05) == 0.0


def test_what_is_withheld_at_any_confidence_does_not_count():
    confidence = np.r_[np.linspace(0.5, 1, 200), np.full(100, -np.inf)]
    correct = np.r_[np.ones(200, dtype=bool), np.zeros(100, dtype=bool)]
    assert risk_threshold(confidence, correct, 0.05) == 0.5


@pytest.mark.parametrize("risk", [0.0, 1.0, -1.0])
def test_a_risk_out_of_range_is_refused(risk):
    with pytest.raises(ConfigError, match="risk"):
        risk_threshold(np.ones(3), np.ones(3, dtype=bool), risk)


@pytest.mark.parametrize(
    "error_rate",
    [
        pytest.param(lambda c: (1 - c) / 2, id="fewer errors where more confident"),
        pytest.param(lambda c: np.where(c > 0.8, 0.15, 0.02), id="more errors at the top"),
        pytest.param(lambda c: np.full_like(c, 0.12), id="confidence means nothing"),
    ],
)
def test_the_true_risk_is_above_the_target_in_at_most_delta_of_draws(error_rate):
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 1, 2001)
    missed, draws = 0, 1000
    for _ in range(draws):
        confidence = rng.random(250)
        correct = rng.random(250) >= error_rate(confidence)
        threshold = risk_threshold(confidence, correct, 0.1, 0.1)
        missed += threshold <= 1 and float(error_rate(grid[grid >= threshold]).mean()) > 0.1
    assert missed / draws <= 0.1 + 3 * math.sqrt(0.09 / draws)
