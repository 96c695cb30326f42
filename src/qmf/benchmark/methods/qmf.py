"""QMF and the variants of its released code, by preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from qmf.benchmark.methods.base import Method, Step
from qmf.energy_gradients import energy_objective
from qmf.fusion import fuse_logits
from qmf.objective_gradients import WantedOrder, wanted_order
from qmf.presets import get_preset
from qmf.ranking import ranking_loss
from qmf.types import FusionOutput
from qmf.uncertainty import ESTIMATORS
from qmf.weighting import WEIGHTINGS, LinearWeights, SimplexWeights

__all__ = ["OfficialRGBD", "OfficialTextImage", "QMFPaper", "QMFSimplex"]


class _QMF(Method):
    """Energy, weights, ranking by the history. See `qmf.fusion` and `qmf.objective`.

    Parameters
    ----------
    widths, num_classes, hidden, dropout
        As in `Method`.
    ranking_weight : float, optional
        ``lambda``; by default the preset's.

    Attributes
    ----------
    preset : str
        See `qmf.presets`.
    """

    weighs = True
    remembers = True
    preset: ClassVar[str] = "paper"

    def __init__(
        self,
        widths: Mapping[str, int],
        num_classes: int,
        *,
        hidden: int = 128,
        dropout: float = 0.3,
        ranking_weight: float | None = None,
    ) -> None:
        super().__init__(widths, num_classes, hidden=hidden, dropout=dropout)
        self.choices = get_preset(self.preset)
        self.lambda_ = self.choices.ranking_weight if ranking_weight is None else ranking_weight
        self.uncertainty = ESTIMATORS[self.choices.uncertainty](len(widths), [hidden] * len(widths))
        self.weighting: nn.Module = WEIGHTINGS[self.choices.weighting]()

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give ``sum_m w^m f^m``."""
        u = self.uncertainty(f, h)
        return fuse_logits(f, u, present, self.weighting, detach_weights=self.choices.detach_weights)

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give ``CE(fused) + sum_m CE(f^m) + lambda sum_m L_reg^m``."""
        plain = super().loss(output, cost, target, step)
        total, seen = step.total, step.seen
        if self.choices.record_first:
            total = total + cost.detach() * output.present
            seen = seen + output.present
        kappa = self._kappa(total, seen, step.low, step.scale)
        known = (seen > 0) & output.present
        weights = torch.where(output.present, output.weights, 0.0)
        return plain + self.lambda_ * ranking_loss(weights, kappa, known, gap=self.choices.gap).sum()

    def wanted_ahead(self, step: Step) -> WantedOrder | None:
        """Give what the history wants, if it is asked before it takes a batch's losses."""
        if self.choices.record_first or not isinstance(self.weighting, LinearWeights):
            return None
        kappa = self._kappa(step.total, step.seen, step.low[:, None, None], step.scale[:, None, None])
        return wanted_order(kappa.permute(3, 0, 1, 2), (step.seen > 0).permute(3, 0, 1, 2), self.choices.gap, dim=3)

    @staticmethod
    def _kappa(total: Tensor, seen: Tensor, low: Tensor, scale: Tensor) -> Tensor:
        return ((total / seen.clamp(min=1) - low) * scale).clamp(0.0, 1.0)

    def written_step(
        self, f: Tensor, target: Tensor, step: Step, wanted: WantedOrder | None = None
    ) -> tuple[Tensor, Tensor] | None:
        """Give what `training_step` and autograd would, for linear weights."""
        if not isinstance(self.weighting, LinearWeights):
            return None
        total, seen, low, scale = (part.permute(2, 0, 1) for part in (*step[1:3], *(v[:, None] for v in step[3:])))

        def recall(cost: Tensor) -> WantedOrder:
            if wanted is not None:
                return wanted
            known, sums = (seen + 1, total + cost) if self.choices.record_first else (seen, total)
            return wanted_order(self._kappa(sums, known, low, scale), known > 0, self.choices.gap, dim=2)

        terms = energy_objective(
            f,
            target,
            recall,
            alpha=self.weighting.alpha,
            beta=self.weighting.beta,
            lambda_=self.lambda_,
            detach_weights=self.choices.detach_weights,
        )
        return terms.gradient, terms.cost


class QMFPaper(_QMF):
    """The paper's method, with linear weights.

    Parameters
    ----------
    widths, num_classes, **settings
        As in `Method`; ``ranking_weight`` is ``lambda``.
    beta : float, default 0
        Intercept of the weights, which the paper leaves to validation; the released code has 0.
    """

    title = "QMF (paper)"
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"beta": (0.0, 4.0)}

    def __init__(self, widths: Mapping[str, int], num_classes: int, *, beta: float = 0.0, **settings: Any) -> None:
        super().__init__(widths, num_classes, **settings)
        self.weighting = LinearWeights(beta=beta)


class QMFSimplex(_QMF):
    """The paper's method with weights on the simplex, the setting of its Theorem 1."""

    title = "QMF (simplex)"

    def __init__(self, widths: Mapping[str, int], num_classes: int, **settings: Any) -> None:
        super().__init__(widths, num_classes, **settings)
        self.weighting = SimplexWeights()


class OfficialRGBD(_QMF):
    """What the released RGB-D code computes."""

    title = "QMF (official RGB-D)"
    preset = "official-rgbd"


class OfficialTextImage(_QMF):
    """What the released text-image code computes."""

    title = "QMF (official text-image)"
    preset = "official-text-image"
