"""All that changes while a run goes on, to be saved and put back bit for bit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qmf.training.checkpoint import Checkpoint, flatten_optimizer, load_checkpoint, restore_optimizer, save_checkpoint
from qmf.training.random_state import get_random_state, set_random_state
from qmf.training.sharding import divided_like, whole

__all__ = ["Position", "RunState"]


@dataclass
class Position:
    """Where in the run we are.

    Attributes
    ----------
    epoch : int
        The epoch we are in.
    sample : int
        How many samples of its order are done: the same whatever the number of processes.
    best_epoch : int
        Epoch with the best score so far; -1 before the first.
    best_score : list of float
        Its score, lower = better, compared entry by entry.
    finished : bool
        True once no epoch is left to train.
    """

    epoch: int = 0
    sample: int = 0
    best_epoch: int = -1
    best_score: list[float] = field(default_factory=lambda: [float("inf")])
    finished: bool = False


@dataclass
class RunState:
    """The parts of a run that have state.

    Attributes
    ----------
    model, objective : nn.Module
        The latter holds the history.
    optimizer, schedule, scaler
        Optimiser, learning-rate schedule or None, gradient scaler of float16 or None.
    sums : Tensor
        Sums of the terms of the objective over the epoch so far.
    best : dict of str to Tensor
        Weights of the best epoch so far.
    rows : list of dict
        Metrics of the epochs done.
    at : Position
        Where we are.
    """

    model: nn.Module
    objective: nn.Module
    optimizer: Any
    schedule: Any
    scaler: Any
    sums: Tensor
    best: dict[str, Tensor] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    at: Position = field(default_factory=Position)

    def keep_best(self, score: list[float]) -> None:
        """Keep the weights of the epoch just trained if its score is lower than the best so far."""
        if score < self.at.best_score:
            self.at.best_score, self.at.best_epoch = score, self.at.epoch
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def save(self, path: Path, fingerprint: str, *, write: bool = True) -> None:
        """Write all of it, and the state of every random generator, to one file in one step.

        Parameters
        ----------
        path, fingerprint
            See `qmf.training.checkpoint.save_checkpoint`.
        write : bool, default True
            False in processes that only give their share of what is divided.
        """
        optimizer_tensors, optimizer_values = flatten_optimizer(self.optimizer)
        random_tensors, random_values = get_random_state()
        tensors = {
            "model": whole(self.model.state_dict()),
            "objective": self.objective.state_dict(),
            "optimizer": whole(optimizer_tensors),
            "random": random_tensors,
            "best": whole(self.best),
            "sums": {"sums": self.sums},
        }
        if not write:
            return
        values = {
            "at": asdict(self.at),
            "rows": self.rows,
            "optimizer": optimizer_values,
            "schedule": None if self.schedule is None else _plain(self.schedule.state_dict()),
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "random": random_values,
        }
        save_checkpoint(path, Checkpoint(tensors, values, fingerprint))

    def restore(self, path: Path, fingerprint: str) -> None:
        """Put everything back as `save` found it.

        Raises
        ------
        DataError, ConfigError
            See `qmf.training.checkpoint.load_checkpoint`.
        """
        saved = load_checkpoint(path, fingerprint)
        tensors, values = saved.tensors, saved.values
        owners = self.model.state_dict()
        self.model.load_state_dict(divided_like(tensors["model"], owners))
        self.objective.load_state_dict(tensors.get("objective", {}))
        moments = divided_like(tensors.get("optimizer", {}), _owners_of_moments(self.optimizer))
        restore_optimizer(self.optimizer, moments, values["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(self.schedule.state_dict() | values["schedule"])
        if self.scaler is not None:
            self.scaler.load_state_dict(values["scaler"])
        best = {name: tensor.to(self.sums.device) for name, tensor in tensors.get("best", {}).items()}
        self.best = divided_like(best, owners)
        with torch.no_grad():
            self.sums.copy_(tensors["sums"]["sums"])
        self.at = Position(**values["at"])
        self.rows = values["rows"]
        set_random_state(tensors["random"], values["random"])


def _owners_of_moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Give the parameter that each moment belongs to, by the moment's name in `flatten_optimizer`."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    names = ("exp_avg", "exp_avg_sq", "momentum_buffer")
    return {f"{i}.{name}": parameter for i, parameter in enumerate(parameters) for name in names}


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a schedule rebuilds by itself (functions, references to the optimiser)."""
    return {key: value for key, value in state.items() if isinstance(value, int | float | str) or key == "_last_lr"}
