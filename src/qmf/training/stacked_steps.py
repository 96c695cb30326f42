"""Training steps of models for vectors, whose encoders and heads are run and differentiated by `StackedHeads`.

Under autograd, a step of six small encoders is mostly calls of small operations. Written out it is a handful of
matrix products. So is the objective of `paper` and of `robust` where nothing is absent; any other fusion and objective
go on under autograd.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby, islice
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from qmf.availability import which_are_there
from qmf.encoders import MLPEncoder
from qmf.fusion import QualityAwareFusion
from qmf.objective import ObjectiveTerms, QMFObjective
from qmf.objective_gradients import WantedOrder
from qmf.training.batches import Batch, TensorBatches
from qmf.training.dropout_draws import DropoutDraws
from qmf.training.flat_parameters import FlatParameters
from qmf.training.ready import Ready
from qmf.training.stacked_heads import StackedHeads, modalities_first, models_first
from qmf.training.workspace import Workspace
from qmf.uncertainty import Credibility, Energy
from qmf.weighting import LinearWeights
from qmf.written_objective import of_energy, of_joint, wanted_ahead

__all__ = ["StackedSteps"]

_Gradients = tuple[
    Tensor | Sequence[Tensor | None], Tensor | None
]  # for features and logits, see `StackedHeads.backward`
_AHEAD = 16  # batches that are prepared in one go
_LARGEST_TABLE = 1 << 29  # bytes of standardised vectors that are kept, instead of standardising each batch anew


def _linear_weights_of_energy(model: QualityAwareFusion) -> LinearWeights | None:
    """Give the weighting of a model whose gradients `qmf.energy_gradients` writes out; None for another one."""
    energy, weighting = model.uncertainty, model.weighting
    if type(energy) is Energy and energy.unit_temperature and type(weighting) is LinearWeights:
        return weighting
    return None


class StackedSteps:
    """Forward and backward passes of one model.

    Parameters
    ----------
    model : QualityAwareFusion
        As `qmf.training.stackable` wants it. Until `release`, its parameters are views of two blocks of memory.
    seed : int
        Key of what dropout draws.
    """

    def __init__(self, model: QualityAwareFusion, seed: int) -> None:
        self.model = model
        encoders = cast(list[MLPEncoder], list(model.encoders))
        m, hidden = len(encoders), encoders[0].out_features
        stacked = {name: p for name, p in model.named_parameters() if name.startswith(("encoders.", "heads."))}
        self._others = {name: p for name, p in model.named_parameters() if name not in stacked}
        named = modalities_first({name: p.detach()[None] for name, p in stacked.items()}, m)
        # Biases apart, since they are not decayed.
        self._weights = FlatParameters({name: p for name, p in named.items() if name.endswith("weight")})
        self._biases = FlatParameters({name: p for name, p in named.items() if name.endswith("bias")})
        values = self._weights.values | self._biases.values
        self._bound = round(256 * encoders[0].dropout.p)
        self._heads = StackedHeads(values, self._weights.gradients | self._biases.gradients, m, 1 - self._bound / 256)
        for name, view in models_first(values).items():
            stacked[name].data = view[0]
        self._stacked = stacked
        self._mean, self._std = (torch.cat([getattr(e, name) for e in encoders]) for name in ("mean", "std"))
        self._widths = [encoder.in_features for encoder in encoders]
        self._draws = DropoutDraws(seed, m * hidden, self._bound)
        self._memory = Workspace(self._mean.device)
        self._table: Tensor | None = None
        self._unrecorded: list[tuple[Tensor, Tensor]] = []
        self._linear = _linear_weights_of_energy(model)
        self._joint = model.joint if type(model.uncertainty) is Credibility else None
        self._world = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        if self._world > 1:
            for _, p in self.named_parameters():
                dist.broadcast(p.detach(), 0)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Give what there is to train, as the model's own method does: two blocks, and what is not stacked."""
        yield "weights", self._weights.block
        yield "bias", self._biases.block
        yield from self._others.items()

    def ahead(self, batches: Iterator[Batch], objective: QMFObjective, place: tuple[int, int]) -> Iterator[Batch]:
        """Give the batches of an epoch, some of them prepared at a time where nothing is absent.

        Parameters
        ----------
        batches : iterator of Batch
            From `prepared` data.
        objective : QMFObjective
            What to minimise.
        place : (int, int)
            The epoch, and the place of the first sample in its order.
        """
        epoch, first = place
        while taken := list(islice(batches, _AHEAD)):
            for size, group in groupby(taken, lambda batch: len(batch.index)):
                alike = list(group)
                yield from self._ready(alike, size, objective, (epoch, first))
                self.settle(objective)
                first += len(alike) * size

    def settle(self, objective: QMFObjective) -> None:
        """Give the history the losses that it has not got yet."""
        if self._unrecorded:
            index, losses = (torch.cat(parts) for parts in zip(*self._unrecorded, strict=True))
            self._unrecorded.clear()
            objective.record(index, losses)

    def _record_later(self, index: Tensor, losses: Tensor) -> None:
        self._unrecorded.append((index, losses))

    @torch.no_grad()
    def _ready(
        self, batches: list[Batch], size: int, objective: QMFObjective, place: tuple[int, int]
    ) -> Sequence[Batch]:
        """Prepare batches of one size that follow each other."""
        if self._table is None or self._world > 1 or batches[0].present is not None:
            return batches
        index = torch.cat([batch.index for batch in batches])
        z = torch.index_select(self._table, 0, index, out=self._memory("z", len(index), self._table.shape[1]))
        kept = self._drawn(place, len(index)).split(size, dim=1) if self._bound else [None] * len(batches)
        wanted: list[WantedOrder | None] = [None] * len(batches)
        if self._linear is not None and objective.plain and (all_wanted := wanted_ahead(objective, index, size)):
            wanted = [WantedOrder(*parts) for parts in zip(*(v.unbind(1) for v in all_wanted), strict=True)]
        ready = map(Ready, z.split(size), kept, wanted)
        return [batch._replace(ready=parts) for batch, parts in zip(batches, ready, strict=True)]

    @torch.no_grad()
    def run(
        self, batch: Batch, objective: QMFObjective, share: float, place: tuple[int, int], *, complete: bool
    ) -> ObjectiveTerms:
        """Leave the gradients of a batch's objective at all parameters; see `ModuleSteps.run`.

        Dropout belongs to `place`, so that it is the same on any number of processes.
        """
        present, names = batch.present, self.model.modalities
        if present is not None:  # the same errors as the model's own, which looks at keys and lengths only
            present = which_are_there(dict.fromkeys(names, batch.index), present, names)
        z, kept = self._standardised(batch, present), self._kept(batch, present, place)
        h, f = self._heads.forward(z, kept)
        alone = complete and share == 1.0 and objective.plain
        if alone and self._linear is not None:
            terms, gradient = of_energy(
                objective,
                f.permute(2, 0, 3, 1),
                batch.target,
                batch.index,
                self._linear,
                detach_weights=self.model.detach_weights,
                wanted=None if batch.ready is None else batch.ready.wanted,
                record=self._record_later,
            )
            gradients: _Gradients = [], gradient.permute(1, 3, 0, 2)
        elif alone and self._joint is not None and not objective.lambda_:
            terms, gradients = self._with_joint_head(h, f, batch, objective, self._joint)
        else:
            terms, gradients = self._by_autograd(h, f, batch, objective, share, present, complete=complete)
        self._heads.backward(z, h, *gradients)
        self._agree()
        return terms

    def _with_joint_head(
        self, h: Tensor, f: Tensor, batch: Batch, objective: QMFObjective, joint: nn.Linear
    ) -> tuple[ObjectiveTerms, _Gradients]:
        """Give the objective of a batch and its gradients for features and logits; leave those of the joint head."""
        m, _, rows, hidden = h.shape
        features = h[:, 0].transpose(0, 1).reshape(rows, m * hidden)
        logits = torch.addmm(joint.bias[:, None], joint.weight, features.T)
        record = None if batch.ready is None else self._record_later
        terms, gradient, by_joint = of_joint(
            objective, f[0].permute(1, 2, 0), logits, batch.target, batch.index, record
        )
        joint.weight.grad, joint.bias.grad = by_joint @ features, by_joint.sum(dim=1)
        of_features = (by_joint.T @ joint.weight).view(rows, m, 1, hidden).permute(1, 2, 0, 3)
        return terms, (of_features, gradient.permute(2, 0, 1)[None])

    @torch.enable_grad()
    def _by_autograd(
        self,
        h: Tensor,
        f: Tensor,
        batch: Batch,
        objective: QMFObjective,
        share: float,
        present: Tensor | None,
        *,
        complete: bool,
    ) -> tuple[ObjectiveTerms, _Gradients]:
        """Give the objective of a batch and its gradients for features and logits, as `StackedHeads` takes them."""
        features = [v[0].requires_grad_() for v in h.detach().unbind()]
        logits = f[0].detach().requires_grad_()
        output = self.model.fuse(logits, features, features, present)
        terms: ObjectiveTerms = objective(output, batch.target, batch.index, complete=complete)
        (terms.loss * share).backward()
        *of_features, of_logits = (None if v.grad is None else v.grad[None] for v in (*features, logits))
        return terms, (of_features, of_logits)

    def _agree(self) -> None:
        """Take the mean of the gradients over all processes."""
        if self._world > 1:
            for _, p in self.named_parameters():
                if p.grad is not None:
                    dist.all_reduce(p.grad.div_(self._world))

    def part(self, *, last: bool) -> AbstractContextManager[None]:
        """Give what a batch's passes run within: nothing, a step has one batch."""
        return nullcontext()

    def clear(self, optimizer: torch.optim.Optimizer) -> None:
        """Forget the gradients of the step; those of the blocks are overwritten by the next."""
        for p in self._others.values():
            p.grad = None

    def release(self) -> None:
        """Give each parameter of the model memory of its own again."""
        for p in self._stacked.values():
            p.data = p.data.clone(memory_format=torch.contiguous_format)

    def prepared(self, training: TensorBatches) -> TensorBatches:
        """Give the training set without inputs, once they stand here side by side; a large one as it is."""
        if 4 * len(training) * len(self._mean) > _LARGEST_TABLE:
            return training
        rows = training.rows
        self._table = self._side_by_side(
            training.inputs if rows is None else {name: x[rows] for name, x in training.inputs.items()}
        )
        return training.without_inputs()

    def _side_by_side(self, inputs: Mapping[str, Tensor]) -> Tensor:
        z = torch.cat([inputs[name] for name in self.model.modalities], dim=1).to(self._mean.dtype)
        return z.sub_(self._mean).div_(self._std)

    def _standardised(self, batch: Batch, present: Tensor | None) -> list[Tensor]:
        if batch.ready is not None:
            z = batch.ready.z
        elif self._table is None:
            z = self._side_by_side(batch.inputs)
        else:
            z = self._memory("z", len(batch.index), len(self._mean))
            torch.index_select(self._table, 0, batch.index.clamp(min=0), out=z)
        parts = list(z[None].split(self._widths, dim=2))
        if present is not None:
            for m, part in enumerate(parts):
                part.masked_fill_(~present[:, m, None], 0.0)
        return parts

    def _kept(self, batch: Batch, present: Tensor | None, place: tuple[int, int]) -> Tensor | None:
        """Give the mask [M, 1, B, H] of the features: 0 where dropped or absent."""
        there = None if present is None else present.T[:, None, :, None].float()
        if not self._bound:
            return there
        kept = self._drawn(place, len(batch.index)) if batch.ready is None else batch.ready.kept
        assert kept is not None
        return kept[:, None] if there is None else kept[:, None] * there

    def _drawn(self, place: tuple[int, int], rows: int) -> Tensor:
        """Say which units [M, B, H] dropout keeps."""
        kept = self._draws.take(*place, rows).view(rows, len(self._widths), -1).transpose(0, 1)
        return self._memory("kept", *kept.shape, dtype=torch.uint8).copy_(kept)
