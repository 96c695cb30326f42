"""Making confidence mean what it says, on held-out data."""

from __future__ import annotations

from qmf.calibration.temperature import best_temperature

__all__ = ["best_temperature"]
