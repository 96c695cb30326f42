"""The settings of a training run, in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from qmf.errors import ConfigError

__all__ = ["TrainingSettings"]

_POSITIVE_INTEGERS = ("epochs", "batch_size", "accumulate", "patience")
_NOT_NEGATIVE = ("weight_decay", "clip_norm", "warmup_epochs")
_CHOICES = {
    "optimizer": ("adamw", "adam", "sgd"),
    "schedule": ("constant", "cosine", "linear", "plateau"),
    "precision": ("no", "fp16", "bf16"),
    "monitor": ("objective", "loss", "accuracy"),
}


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    epochs : int
        At most this many passes over the training set.
    batch_size : int
        Samples per forward pass, over all processes together: results do not hang on how many there are.
    accumulate : int
        Batches per optimiser step; the last step of an epoch takes those that are left.
    optimizer : {"adamw", "adam", "sgd"}
        Optimiser (SGD with momentum 0.9).
    learning_rate, weight_decay : float
        Its step size, positive, and decay.
    backbone_learning_rate : float
        Step size, positive, for the pretrained part of encoders that are tuned.
    schedule : {"constant", "cosine", "linear", "plateau"}
        Learning rate over the run, per step (to 0 at the last epoch), or on a plateau of the validation objective
        (factor 0.3, patience 10, as the official code).
    warmup_epochs : float
        Epochs of linear warm-up before it (not with "plateau").
    clip_norm : float
        Largest norm of the gradient; 0 = no clipping.
    patience : int
        Stop after this many epochs without a better validation score.
    monitor : {"objective", "loss", "accuracy"}
        The validation score that chooses the best model: the objective without its regulariser (fused and unimodal
        cross-entropies), the cross-entropy of the fused output alone, or its accuracy (ties by objective). Where
        weights are not on the simplex, the fused logits outgrow their calibration long before the classifiers are
        done, and the fused loss alone would stop training at once.
    precision : {"no", "fp16", "bf16"}
        Mixed precision.
    compile : bool
        Compile the model by ``torch.compile`` first, which takes up to a minute and, on a CPU, a C++ compiler: pays in
        long runs of large encoders.
    shard : bool
        Where several processes train: divide parameters, gradients and moments among them (FSDP), which large encoders
        need, instead of a copy on each. Not together with `compile`.
    seed : int
        Seed of everything drawn.
    """

    epochs: int = 100
    batch_size: int = 64
    accumulate: int = 1
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = 3e-3
    backbone_learning_rate: float = 1e-4
    weight_decay: float = 1e-2
    schedule: Literal["constant", "cosine", "linear", "plateau"] = "cosine"
    warmup_epochs: float = 0.0
    clip_norm: float = 0.0
    patience: int = 20
    monitor: Literal["objective", "loss", "accuracy"] = "objective"
    precision: Literal["no", "fp16", "bf16"] = "no"
    compile: bool = False
    shard: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            self._check(field.name, getattr(self, field.name))
        if self.shard and self.compile:
            raise ConfigError("shard and compile: expected at most one of them.")

    def _check(self, name: str, value: Any) -> None:
        expected = None
        if name in _POSITIVE_INTEGERS and not (isinstance(value, int) and value >= 1):
            expected = "an integer of 1 or more"
        elif name in ("learning_rate", "backbone_learning_rate") and not value > 0:
            expected = "a positive number"
        elif name in _NOT_NEGATIVE and not value >= 0:
            expected = "0 or more"
        elif name in _CHOICES and value not in _CHOICES[name]:
            expected = "one of " + ", ".join(_CHOICES[name])
        if expected:
            raise ConfigError(f"{name}={value!r}: expected {expected}.")
