"""What of several batches can be prepared in one go: all that depends on which samples they hold, not on the model."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from qmf.objective_gradients import WantedOrder

__all__ = ["Ready"]


class Ready(NamedTuple):
    """What is ready of one batch.

    Attributes
    ----------
    z : Tensor [B, sum_m D_m]
        Standardised vectors, side by side.
    kept : Tensor [M, B, H], uint8, or None
        0 where dropout drops a unit, else 1; None without dropout.
    wanted : WantedOrder [M, B] or None
        See `qmf.written_objective.wanted_ahead`.
    """

    z: Tensor
    kept: Tensor | None
    wanted: WantedOrder | None
