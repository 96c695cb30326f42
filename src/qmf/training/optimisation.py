"""Optimiser and learning-rate schedule from the settings."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from qmf.training.block_adamw import BlockAdamW
from qmf.training.settings import TrainingSettings

__all__ = ["build_optimizer", "build_schedule"]


def build_optimizer(
    named: Iterable[tuple[str, nn.Parameter]], settings: TrainingSettings, *, in_blocks: bool = False
) -> torch.optim.Optimizer:
    """Give the optimiser over all trainable parameters; biases and norms are not decayed.

    Parameters
    ----------
    named : iterable of (str, Parameter)
        What to train, by name.
    settings : TrainingSettings
        `optimizer`, `learning_rate`, `backbone_learning_rate` (of what is named ``backbone``), `weight_decay`.
    in_blocks : bool, default False
        True if these are few and large, on one device and without gradient scaling: see `BlockAdamW`.

    Returns
    -------
    torch.optim.Optimizer
        Fused where torch has it: one call per step for all parameters.
    """
    groups, parameters = [], list(named)
    for backbone, rate in ((False, settings.learning_rate), (True, settings.backbone_learning_rate)):
        trained = [(name, p) for name, p in parameters if p.requires_grad and (".backbone." in name) == backbone]
        decayed = [p for name, p in trained if p.dim() > 1 and not name.endswith("bias")]
        others = [p for name, p in trained if p.dim() <= 1 or name.endswith("bias")]
        groups.append({"params": decayed, "weight_decay": settings.weight_decay, "lr": rate})
        groups.append({"params": others, "weight_decay": 0.0, "lr": rate})
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.9, fused=True)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, lr=settings.learning_rate, fused=True)
    kind = BlockAdamW if in_blocks else torch.optim.AdamW
    return kind(groups, lr=settings.learning_rate, fused=True)


def build_schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, steps_per_epoch: int
) -> LambdaLR | ReduceLROnPlateau | None:
    """Give the learning-rate schedule.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Whose rate to set.
    settings : TrainingSettings
        `schedule`, `epochs`, `warmup_epochs`.
    steps_per_epoch : int
        Optimiser steps in one epoch.

    Returns
    -------
    LambdaLR or ReduceLROnPlateau or None
        The first is stepped after every optimiser step, the second after every epoch; None for a constant rate.
    """
    if settings.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, factor=0.3, patience=10)
    if settings.schedule == "constant" and not settings.warmup_epochs:
        return None
    total = settings.epochs * steps_per_epoch
    warm = settings.warmup_epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / (warm + 1)
        done = min(1.0, (step - warm) / max(1.0, total - warm))
        if settings.schedule == "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
        return 1.0 - done if settings.schedule == "linear" else 1.0

    return LambdaLR(optimizer, factor)
