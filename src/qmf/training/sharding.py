"""Parameters divided among the processes of a run (fully sharded data parallel): for encoders too large for one device.

Each process keeps its share of every parameter, gradient and moment of the optimiser; a block's parameters are put
together for as long as it computes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from qmf.fusion import QualityAwareFusion

__all__ = ["agree_on_buffers", "divided", "divided_like", "whole"]


def divided(model: QualityAwareFusion, device: torch.device) -> QualityAwareFusion:
    """Give a copy whose parameters are divided among all processes; every process must call it.

    Parameters
    ----------
    model : QualityAwareFusion
        The same on each process; stays as it is, where it is.
    device : torch.device
        Where this process computes.

    Returns
    -------
    QualityAwareFusion
        On `device`. Divided by block where an encoder names its blocks as models of transformers do
        (``_no_split_modules``), else by encoder; what is left, as one.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    worker = copy.deepcopy(model).to(device)
    names = {name for module in worker.modules() for name in getattr(module, "_no_split_modules", None) or ()}
    blocks = [module for module in worker.modules() if type(module).__name__ in names]
    # A module's parameters go to the innermost that is divided, so those come first.
    for module in [*reversed(blocks), *worker.encoders, worker]:
        if any(True for _ in module.parameters()):
            fully_shard(module, mesh=mesh)
    return worker


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give tensors as a process alone would hold them; where one is divided, every process must call it."""
    return {name: _whole(tensor) for name, tensor in tensors.items()}


def divided_like(tensors: Mapping[str, Tensor], owners: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `whole`: divide each tensor as its owner of the same name and shape is; others stay as they are.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The same on each process.
    owners : mapping of str to Tensor
        Parameters, divided or not.
    """
    return {name: _divided_like(tensor, owners.get(name)) for name, tensor in tensors.items()}


def agree_on_buffers(model: nn.Module) -> None:
    """Let all processes take the buffers of the first, such as the running means of batch normalisation."""
    for buffer in model.buffers():
        torch.distributed.broadcast(buffer, 0)


def _whole(tensor: Any) -> Tensor:
    result: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return result


def _divided_like(tensor: Tensor, owner: Tensor | None) -> Tensor:
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(owner, DTensor) or owner.shape != tensor.shape:
        return tensor
    return distribute_tensor(tensor.to(owner.device), owner.device_mesh, owner.placements)
