"""Checkpoints: one safetensors file that holds all a run needs to go on as if it had never stopped.

One file, because a rename makes one file appear whole or not at all: a run can be killed at any moment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from qmf.errors import ConfigError, DataError
from qmf.files import atomic_path

__all__ = ["Checkpoint", "flatten_optimizer", "load_checkpoint", "restore_optimizer", "save_checkpoint"]

_FORMAT = "qmf-checkpoint-3"


@dataclass
class Checkpoint:
    """All that a run needs to go on.

    Attributes
    ----------
    tensors : dict of str to dict of str to Tensor
        By part: ``model``, ``objective`` (the history in it), ``optimizer``, ``random``, ``best``, ``sums``.
    values : dict
        What is not a tensor: position in the run, scores, states of scheduler and scaler. Fits JSON.
    fingerprint : str
        Of the settings and the data; a run is only resumed on the same.
    """

    tensors: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an older one at `path` stays whole until the new one replaces it.

    Parameters
    ----------
    path : pathlib.Path
        File to write.
    checkpoint : Checkpoint
        What to keep.
    """
    flat = {
        f"{part}/{name}": tensor.detach().cpu().contiguous().clone()
        for part, tensors in checkpoint.tensors.items()
        for name, tensor in tensors.items()
    }
    metadata = {"format": _FORMAT, "fingerprint": checkpoint.fingerprint, "values": json.dumps(checkpoint.values)}
    with atomic_path(path) as temporary:
        save_file(flat, temporary, metadata)


def load_checkpoint(path: Path, fingerprint: str) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : pathlib.Path
        File to read.
    fingerprint : str
        Of the run that wants to go on.

    Returns
    -------
    Checkpoint
        What was saved.

    Raises
    ------
    DataError
        If the file is damaged or not a checkpoint of this version.
    ConfigError
        If it belongs to other settings or other data.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} can not be read as a checkpoint ({error}): delete it and start anew.") from error
    if metadata.get("format") != _FORMAT:
        raise DataError(
            f"{path} is not a checkpoint of this version (format {metadata.get('format')!r}, expected {_FORMAT!r}):"
            " go on with the version that wrote it, or delete it and start anew."
        )
    if metadata["fingerprint"] != fingerprint:
        raise ConfigError(
            f"{path} belongs to a run with other settings or other data: resume with the same, or start anew."
        )
    tensors: dict[str, dict[str, Tensor]] = {}
    for key, tensor in flat.items():
        part, name = key.split("/", 1)
        tensors.setdefault(part, {})[name] = tensor
    return Checkpoint(tensors, json.loads(metadata["values"]), fingerprint)


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split an optimiser's state into tensors and JSON.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any whose state is tensors and plain numbers.

    Returns
    -------
    tensors : dict of str to Tensor
        ``"<parameter>.<name>"``.
    values : dict
        Parameter groups, and state that is not a tensor.
    """
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for parameter, entries in state["state"].items():
        for name, value in entries.items():
            key = f"{parameter}.{name}"
            if isinstance(value, Tensor):
                tensors[key] = value
            else:
                plain[key] = value
    return tensors, {"groups": state["param_groups"], "plain": plain}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    """Put back what `flatten_optimizer` gave; `tensors` and `values` are its results."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *values["plain"].items()]:
        parameter, name = key.split(".", 1)
        state.setdefault(int(parameter), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": values["groups"]})
