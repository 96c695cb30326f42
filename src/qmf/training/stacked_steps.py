"""Training steps of models for vectors, whose encoders and heads are run and differentiated by `StackedHeads`.

Under autograd, a step of six small encoders is mostly calls of small operations. Written out it is a handful of
matrix products; fusion and objective go on under autograd, whichever they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from qmf.availability import which_are_there
from qmf.encoders import MLPEncoder
from qmf.fusion import QualityAwareFusion
from qmf.heads import BatchedLinearHeads
from qmf.training.batches import Batch
from qmf.training.dropout_draws import DropoutDraws
from qmf.training.flat_parameters import FlatParameters
from qmf.training.settings import TrainingSettings
from qmf.training.stacked_heads import StackedHeads, modalities_first, models_first
from qmf.training.workspace import Workspace
from qmf.types import FusionOutput

__all__ = ["StackedSteps", "can_be_stacked"]


def can_be_stacked(model: QualityAwareFusion, settings: TrainingSettings, device: torch.device) -> bool:
    """Say whether `StackedSteps` trains a model: only vectors, encoders of one width, in full precision on the CPU."""
    encoders = list(model.encoders)
    return (
        type(model) is QualityAwareFusion
        and device.type == "cpu"
        and settings.precision == "no"
        and settings.accumulate == 1
        and not (settings.compile or settings.shard)
        and all(type(encoder) is MLPEncoder and type(encoder.dropout) is nn.Dropout for encoder in encoders)
        and len({(e.out_features, e.dropout.p) for e in cast(list[MLPEncoder], encoders)}) == 1
        and type(model.heads) is BatchedLinearHeads
        and all(p.requires_grad and p.dtype == torch.float32 for p in model.parameters())
        and not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    )


class StackedSteps:
    """Forward and backward passes of one model.

    Parameters
    ----------
    model : QualityAwareFusion
        As `can_be_stacked` wants it. Until `release`, its parameters are views of two blocks of memory.
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
        self._heads = StackedHeads(
            values, self._weights.gradients | self._biases.gradients, m, 1 - self._bound / 256
        )
        for name, view in models_first(values).items():
            stacked[name].data = view[0]
        self._stacked = stacked
        self._mean, self._std = (torch.cat([getattr(e, name) for e in encoders]) for name in ("mean", "std"))
        self._widths = [encoder.in_features for encoder in encoders]
        self._draws = DropoutDraws(seed, m * hidden)
        self._memory = Workspace(self._mean.device)
        self._pass: tuple[list[Tensor], Tensor, list[Tensor]]
        self._world = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        if self._world > 1:
            for _, p in self.named_parameters():
                dist.broadcast(p.detach(), 0)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Give what there is to train, as the model's own method does: two blocks, and what is not stacked."""
        yield "weights", self._weights.block
        yield "bias", self._biases.block
        yield from self._others.items()

    def forward(self, batch: Batch, epoch: int, first: int) -> FusionOutput:
        """Give the output of a batch.

        Parameters
        ----------
        batch : Batch
            The batch.
        epoch, first : int
            Which epoch, and the place of the batch's first sample in its order.
        """
        present = which_are_there(batch.inputs, batch.present, self.model.modalities)
        z, kept = self._standardised(batch, present), self._kept(present, epoch, first, len(batch.index))
        with torch.no_grad():
            h, f = self._heads.forward(z, kept)
        features = [v[0].requires_grad_() for v in h.detach().unbind()]
        logits = f[0].detach().requires_grad_()
        self._pass = z, h, [*features, logits]
        return self.model.fuse(logits, features, features, present)

    def part(self, *, last: bool) -> AbstractContextManager[None]:
        """Give what a batch's passes run within: nothing, a step has one batch."""
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Leave the gradients of the last batch's loss at all parameters."""
        z, h, leaves = self._pass
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            self._heads.backward(z, h, [None if v.grad is None else v.grad[None] for v in leaves])
            if self._world > 1:
                for _, p in self.named_parameters():
                    if p.grad is not None:
                        dist.all_reduce(p.grad.div_(self._world))

    def clear(self, optimizer: torch.optim.Optimizer) -> None:
        """Forget the gradients of the step; those of the blocks are overwritten by the next."""
        for p in self._others.values():
            p.grad = None

    def release(self) -> None:
        """Give each parameter of the model memory of its own again."""
        for p in self._stacked.values():
            p.data = p.data.clone(memory_format=torch.contiguous_format)

    @torch.no_grad()
    def _standardised(self, batch: Batch, present: Tensor | None) -> list[Tensor]:
        x = [batch.inputs[name] for name in self.model.modalities]
        z = self._memory("z", len(batch.index), len(self._mean))
        torch.cat(x, dim=1, out=z)
        z.sub_(self._mean).div_(self._std)
        parts = list(z[None].split(self._widths, dim=2))
        if present is not None:
            for m, part in enumerate(parts):
                part.masked_fill_(~present[:, m, None], 0.0)
        return parts

    def _kept(self, present: Tensor | None, epoch: int, first: int, rows: int) -> Tensor | None:
        """Give the mask [M, 1, B, H] of the features: 0 where dropped or absent."""
        m = len(self._widths)
        there = None if present is None else present.T[:, None, :, None].float()
        if not self._bound:
            return there
        drawn = self._draws.take(epoch, first, rows).view(rows, m, -1).transpose(0, 1).contiguous()
        mask = torch.ge(drawn, self._bound, out=self._memory("mask", *drawn.shape))[:, None]
        return mask if there is None else mask.mul_(there)
