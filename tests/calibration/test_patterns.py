"""Which combinations of modalities are calibrated."""

import numpy as np
import pytest

from qmf.calibration.patterns import pattern_positions, patterns_to_calibrate


def test_all_combinations_of_few_modalities():
    patterns = patterns_to_calibrate(np.ones((1, 3), dtype=bool))
    assert patterns.astype(int).tolist() == [
        [1, 1, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1],
    ]  # fmt: skip
    assert len(patterns_to_calibrate(np.ones((1, 6), dtype=bool))) == 63


def test_of_many_modalities_those_that_matter_and_those_that_are_there():
    present = np.ones((3, 9), dtype=bool)
    present[1, :4] = False
    patterns = patterns_to_calibrate(present)
    assert len(patterns) == 1 + 9 + 9 + 1
    assert present[1].tolist() in patterns.tolist()


@pytest.mark.parametrize("count", [3, 20])  # in one byte, and in three
def test_positions(count):
    patterns = patterns_to_calibrate(np.ones((1, count), dtype=bool))
    assert pattern_positions(patterns, patterns).tolist() == list(range(len(patterns)))
    assert pattern_positions(patterns[:1], patterns).tolist() == [0] + [-1] * (len(patterns) - 1)
