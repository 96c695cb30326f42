"""Training steps of any model, under autograd."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from qmf.objective import ObjectiveTerms, QMFObjective
from qmf.training.batches import Batch, TensorBatches
from qmf.types import FusionOutput

__all__ = ["ModuleSteps"]


class ModuleSteps:
    """Forward and backward passes of one model.

    Parameters
    ----------
    worker : nn.Module
        The model, with its weights or this process's share of them.
    accelerator : Accelerator
        Wraps it for several processes, casts to half precision and scales gradients, where asked to.
    divided : bool
        True if it is divided among processes already.
    compiled : bool
        Whether to compile it.
    """

    def __init__(self, worker: nn.Module, accelerator: Accelerator, *, divided: bool, compiled: bool) -> None:
        self.worker, self.accelerator = worker, accelerator
        wrapped = worker if divided else accelerator.prepare(worker)
        self.model: Any = torch.compile(wrapped) if compiled else wrapped

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Give what there is to train."""
        yield from self.worker.named_parameters()

    def prepared(self, training: TensorBatches) -> TensorBatches:
        """Give the training set as batches are to be cut from."""
        return training.to(self.accelerator.device)

    def ahead(self, batches: Iterator[Batch], objective: QMFObjective, place: tuple[int, int]) -> Iterator[Batch]:
        """Give the batches as they are: nothing is prepared ahead."""
        return batches

    def settle(self, objective: QMFObjective) -> None:
        """Do nothing: the history has all losses."""

    def run(
        self, batch: Batch, objective: QMFObjective, share: float, place: tuple[int, int], *, complete: bool
    ) -> ObjectiveTerms:
        """Add the gradients of a batch's objective to those of all parameters.

        Parameters
        ----------
        batch : Batch
            The batch.
        objective : QMFObjective
            What to minimise.
        share : float
            Weight of this batch's objective in that of the step.
        place : (int, int)
            The epoch, and the place of the batch's first sample in its order; does not matter here.
        complete : bool
            As in `QMFObjective.forward`.

        Returns
        -------
        ObjectiveTerms
            Of the batch.
        """
        with self.accelerator.autocast():
            output: FusionOutput = self.model(batch.inputs, batch.present)
        terms: ObjectiveTerms = objective(output, batch.target, batch.index, complete=complete)
        self.accelerator.backward(terms.loss * share)
        return terms

    def part(self, *, last: bool) -> AbstractContextManager[None]:
        """Give what a batch's passes run within: processes agree on gradients at the last batch of a step only."""
        part: AbstractContextManager[None] = nullcontext() if last else self.accelerator.no_sync(self.model)
        return part

    def clear(self, optimizer: torch.optim.Optimizer) -> None:
        """Forget the gradients of the step."""
        optimizer.zero_grad()

    def release(self) -> None:
        """Do nothing: the parameters are the model's own."""
