"""Making confidence mean what it says, on held-out data."""

from __future__ import annotations

from qmf.calibration.calibrating import FEWEST, Answers, Ask, calibrate_patterns
from qmf.calibration.pattern_calibration import PatternCalibration
from qmf.calibration.patterns import patterns_to_calibrate
from qmf.calibration.temperature import best_temperature

__all__ = [
    "FEWEST",
    "Answers",
    "Ask",
    "PatternCalibration",
    "best_temperature",
    "calibrate_patterns",
    "patterns_to_calibrate",
]
