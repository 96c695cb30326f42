"""Which models `StackedSteps` trains."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from qmf.encoders import MLPEncoder
from qmf.fusion import QualityAwareFusion
from qmf.heads import BatchedLinearHeads
from qmf.training.settings import TrainingSettings

__all__ = ["can_be_stacked"]


def can_be_stacked(model: QualityAwareFusion, settings: TrainingSettings, device: torch.device) -> bool:
    """Say whether `StackedSteps` trains a model: only vectors, encoders of one width, in full precision on the CPU."""
    encoders = list(model.encoders)
    return (
        type(model) is QualityAwareFusion
        and device.type == "cpu"
        and settings.precision == "no"
        and settings.accumulate == 1
        and not (settings.compile or settings.shard)
        and all(
            type(e) is MLPEncoder and type(e.hidden) is nn.Linear and type(e.dropout) is nn.Dropout for e in encoders
        )
        and len({(e.out_features, e.dropout.p) for e in cast(list[MLPEncoder], encoders)}) == 1
        and _can_be_drawn(cast(MLPEncoder, encoders[0]).dropout.p)
        and type(model.heads) is BatchedLinearHeads
        and all(p.requires_grad and p.dtype == torch.float32 and not p._backward_hooks for p in model.parameters())
        and not any(_hooked(module) for module in model.modules())
    )


def _hooked(module: nn.Module) -> bool:
    before, after = module._forward_pre_hooks or module._backward_pre_hooks, module._forward_hooks
    return bool(before or after or module._backward_hooks)


def _can_be_drawn(rate: float) -> bool:
    """Say whether a byte can decide: a rate near 0 or 1 would become 0 or 1."""
    return not rate or 0 < round(256 * rate) < 256
