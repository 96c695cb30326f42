"""Normal scores: every feature brought to a standard normal distribution by its own distribution, one look-up a value.

A feature's distribution is a histogram whose cells are narrow where the values are and wide far out: half of the cells
lie between the quartiles or thereabouts. A value is placed by arithmetic, not by a search.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from qmf.learnt_buffers import LearntBuffers

__all__ = ["NormalScores"]

_HALF = 127  # cells on either side of the one that holds the median
_CELLS = 2 * _HALF + 1
_FINEST = 256  # ranks that are told apart at the ends


class NormalScores(LearntBuffers):
    """From vectors to normal scores, ``Phi^-1`` of the rank of each value among those of its feature.

    Attributes
    ----------
    middle, scale : Tensor [D], [D]
        Median of each feature; half the distance of its quartiles, by 127. A value x lies in the cell
        ``127 t / (1 + |t|)``, cut to an integer, where t is its distance from the median in halves of that of the
        quartiles.
    low, high, unit : Tensor [D], [D], [D]
        The training range, and the standard deviation, in which what lies beyond is measured.
    table : Tensor [D, 255]
        Score of each cell, less the mean over the training vectors.

    Notes
    -----
    All is float32, whatever the precision of the model it is part of, so that a value falls into the same cell in all.

    References
    ----------
    Liu et al., The Nonparanormal, JMLR 2009.

    Examples
    --------
    >>> scores = NormalScores()
    >>> scores.fit((torch.arange(-100, 101) / 25).exp()[:, None])
    >>> [round(float(scores(torch.tensor([[x]])))) for x in (0.065, 1.0, 15.3)]
    [-1, 0, 1]
    """

    middle: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor
    unit: Tensor
    table: Tensor

    def __init__(self) -> None:
        super().__init__("middle", "scale", "low", "high", "unit", "table")

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Learn the distribution of each feature from vectors [n, D]."""
        n, d = x.shape
        x = x.float()
        lower, self.middle, upper = (x.kthvalue(max(1, round(q * n)), dim=0).values for q in (0.25, 0.5, 0.75))
        self.low, self.high = x.aminmax(dim=0)
        spread = x.double().std(dim=0, correction=0).float()
        self.unit = torch.where(spread > 0, spread, 1.0)
        self.scale = torch.where(upper > lower, (upper - lower) / 2, self.unit) / _HALF
        count = self._cells(x).flatten().bincount(minlength=d * _CELLS).view(d, _CELLS).double()
        rank = (count.cumsum(dim=1) - count / 2) / n  # amid those that share the cell
        end = 0.5 / min(n, _FINEST)
        scores = torch.special.ndtri(rank.clamp(end, 1 - end))
        self.table = (scores - (scores * count).sum(dim=1, keepdim=True) / n).float()

    def forward(self, x: Tensor) -> Tensor:
        """Give scores [B, D], float32, of vectors [B, D]; what lies beyond the training range comes on top."""
        x = x.float()
        within = x.clamp(self.low, self.high)
        scores = self.table.flatten().index_select(0, self._cells(within).flatten()).view(x.shape)
        return scores.addcdiv(x - within, self.unit)

    def _cells(self, x: Tensor) -> Tensor:
        """Give the cells [B, D], int32, of values in the training range; those of feature j begin at ``255 j``."""
        gap = x - self.middle
        cell = gap / torch.add(self.scale, gap.abs(), alpha=1 / _HALF)
        median = torch.arange(_HALF, x.shape[1] * _CELLS, _CELLS, dtype=torch.int32, device=x.device)
        return cell.to(torch.int32).clamp(-_HALF, _HALF) + median  # any integer may come of NaN

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def moved(t: Tensor) -> Tensor:
            given = fn(t)
            return given if given.dtype == t.dtype else t.to(given.device)

        super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return self
