"""One training of S models at once, each on its own data, in its own order, with its own dropout."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import stack_module_state

from qmf.benchmark.budget import Budget
from qmf.benchmark.methods.base import GivenDropout, Method, Step
from qmf.benchmark.part import Part
from qmf.benchmark.vectorised_loss import VectorisedLoss
from qmf.encoders.placement import placed
from qmf.errors import ConfigError
from qmf.objective_gradients import WantedOrder
from qmf.randomness import keyed_generator
from qmf.training.block_adamw import BlockAdamW
from qmf.training.flat_parameters import FlatParameters
from qmf.training.stacked_heads import StackedHeads, modalities_first, models_first
from qmf.training.workspace import Workspace

__all__ = ["vectorised_training"]


def vectorised_training(
    models: Sequence[Method], parts: Sequence[Part], seeds: Sequence[int], budget: Budget
) -> dict[str, Tensor]:
    """Train S models of one shape; they themselves are left as they are.

    Parameters
    ----------
    models : sequence of S Method
        Untrained, but for the standardisation of their encoders.
    parts, seeds, budget
        As in `qmf.benchmark.together.train_together`; parts of one size.

    Returns
    -------
    dict of str to Tensor [S, ...]
        Trained parameters by name.
    """
    run = _Training(models, parts, seeds, budget, placed(None))
    run.run()
    return {name: value.cpu() for name, value in models_first(run.params.values).items()}


class _Training:
    """Parameters have a leading axis of S models; samples and histories of all models are rows of one table [S N]."""

    def __init__(
        self,
        models: Sequence[Method],
        parts: Sequence[Part],
        seeds: Sequence[int],
        budget: Budget,
        device: torch.device,
    ) -> None:
        params, buffers = ({n: v.to(device) for n, v in part.items()} for part in stack_module_state(list(models)))
        self.model = copy.deepcopy(models[0]).to(device).train()
        self.seeds, self.budget, self.n, self.device = seeds, budget, len(parts[0]), device
        self.params = FlatParameters(modalities_first(params, len(parts[0].features)))
        self.optimiser = BlockAdamW(
            [self.params.block], budget.learning_rate, weight_decay=budget.weight_decay, fused=True
        )
        names = models[0].modalities
        stacked = [torch.from_numpy(np.stack([part.features[name] for part in parts])).to(device) for name in names]
        # Standardised once, not in every step: half of the time of a step went there.
        self.z = torch.cat([_standardised(v, buffers, m) for m, v in enumerate(stacked)], dim=2).flatten(0, 1)
        self.widths = [v.shape[2] for v in stacked]
        self.present = torch.from_numpy(np.concatenate([part.present for part in parts])).to(device)
        self.complete = bool(self.present.all())
        self.target = torch.from_numpy(np.concatenate([part.target for part in parts])).to(device)
        self.total, self.count = (torch.zeros(self.present.shape, device=device) for _ in range(2))
        self.low, self.scale = (torch.zeros(len(seeds), len(self.widths), device=device) for _ in range(2))
        dropouts = {name: m for name, m in self.model.named_modules() if isinstance(m, GivenDropout) and m.rate > 0}
        self.masks = _Masks(dropouts, len(self.widths))
        # On the host, anew in each epoch: 0 where dropped, else 1.
        self.kept = torch.empty(len(seeds), self.n, self.masks.width, dtype=torch.uint8)
        self.heads = StackedHeads(self.params.values, self.params.gradients, len(self.widths), self.masks.keep)
        self.memory = Workspace(device)
        self.own = [name for name in params if not name.startswith(("encoders.", "heads."))]
        self.buffers = {name: b for name, b in buffers.items() if not name.startswith("encoders.")}
        values, gradients = models_first(self.params.values), models_first(self.params.gradients)
        # What the loss may read: all but the encoders.
        self.shared = {name: values[name] for name in ("heads.weight", "heads.bias", *self.own)}
        self.shared_gradients = [gradients[name] for name in self.shared]
        read = [*self.shared, *self.buffers, *(f"{name}.mask" for name in self.masks.others)]
        self.loss = VectorisedLoss(self.model, read, complete=self.complete)

    def run(self) -> None:
        """Train to the last epoch."""
        size = self.budget.batch_size
        offset = self.n * torch.arange(len(self.seeds), device=self.device)[:, None]
        done, steps = 0, -(-self.n // size) * self.budget.epochs
        for epoch in range(self.budget.epochs):
            order, kept = self._draws(epoch)
            index, progress = order + offset, torch.tensor(epoch / self.budget.epochs, device=self.device)
            # Once for all batches: no sample comes twice in an epoch.
            present, target, total, count = (
                table.index_select(0, index.flatten()).unflatten(0, index.shape)
                for table in (self.present, self.target, self.total, self.count)
            )
            cost, ahead = torch.empty_like(total), self._wanted_ahead(total, count, progress)
            for start in range(0, self.n, size):
                rate = self.budget.learning_rate * 0.5 * (1 + np.cos(np.pi * done / steps))
                self.optimiser.param_groups[0]["lr"] = rate
                part = slice(start, start + size)
                step = Step(progress, total[:, part], count[:, part], self.low, self.scale)
                wanted = ahead.pop(0) if ahead else None
                given = index[:, part], kept[:, part], present[:, part], target[:, part]
                cost[:, part] = self._step(*given, step, wanted)
                done += 1
            if self.model.remembers:
                self.total.index_add_(0, index.flatten(), (cost * present).flatten(0, 1))
                self.count.index_add_(0, index.flatten(), present.float().flatten(0, 1))
                self._end_epoch()

    def _wanted_ahead(self, total: Tensor, count: Tensor, progress: Tensor) -> list[WantedOrder]:
        """Give what the history wants in each whole batch of an epoch; nothing if the method does not ask."""
        size = self.budget.batch_size
        whole = self.n // size
        if not (self.complete and self.model.remembers and whole):
            return []
        total, count = (v[:, : whole * size].unflatten(1, (whole, size)) for v in (total, count))
        wanted = self.model.wanted_ahead(Step(progress, total, count, self.low, self.scale))
        return [] if wanted is None else [WantedOrder(*v) for v in zip(*(v.unbind(2) for v in wanted), strict=True)]

    def _draws(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Give the order of the samples [S, N], and which units [S, N, W] dropout keeps."""
        orders = []
        for seed, own in zip(self.seeds, self.kept.numpy(), strict=True):
            generator = keyed_generator(seed, "benchmark epoch", epoch)
            orders.append(torch.from_numpy(generator.permutation(self.n)))
            # A byte for each unit: a rate is kept to 1/256, and drawing takes a tenth of the time of drawing floats.
            _draw_bytes(generator, own.reshape(-1))
            np.greater_equal(own, self.masks.bound, out=own.view(np.bool_))
        return torch.stack(orders).to(self.device), self.kept.to(self.device)

    @torch.no_grad()
    def _step(
        self, index: Tensor, kept: Tensor, present: Tensor, target: Tensor, step: Step, wanted: WantedOrder | None
    ) -> Tensor:
        """Take a step on a batch [S, B]; give the unimodal losses [S, B, M]."""
        z = self.memory("z", index.numel(), self.z.shape[1])
        torch.index_select(self.z, 0, index.flatten(), out=z)
        z = z.unflatten(0, index.shape).split(self.widths, dim=2)
        h, f = self.heads.forward(z, self._mask(kept, present))
        written = self.model.written_step(f.permute(2, 0, 3, 1), target, step, wanted) if self.complete else None
        if written is not None:
            cost = written[1].permute(1, 2, 0)
            self.heads.backward(z, h, [], written[0].permute(1, 3, 0, 2))
        else:
            cost = self._by_tracing(z, h, f, kept, present, target, step)
        self.optimiser.step()
        return cost

    def _by_tracing(
        self, z: Sequence[Tensor], h: Tensor, f: Tensor, kept: Tensor, present: Tensor, target: Tensor, step: Step
    ) -> Tensor:
        """Leave the gradients of a step; give the unimodal losses [S, B, M]."""
        buffers = [*self.buffers.values(), *self.masks.of_others(kept)]
        step = Step(*(part.contiguous() for part in step))
        present, target = present.contiguous(), target.contiguous()  # the traced graph knows one layout
        cost, gradients = self.loss(h.unbind(), f, list(self.shared.values()), buffers, present, target, step)
        self.heads.backward(z, h, gradients[: len(h)], gradients[len(h)])
        for name, held, gradient in zip(self.shared, self.shared_gradients, gradients[len(h) + 1 :], strict=True):
            if gradient is not None:
                # A method may use the heads once more, on other features.
                held.add_(gradient) if name.startswith("heads.") else held.copy_(gradient)
        return cost

    def _mask(self, kept: Tensor, present: Tensor) -> Tensor | None:
        """Give the mask [M, S, B, H] of the features: 0 where dropped or absent."""
        mask = self.masks.of_encoders(kept)
        if self.complete:
            return mask
        there = present.permute(2, 0, 1)[..., None]
        return there if mask is None else mask * there

    def _end_epoch(self) -> None:
        """Take the bounds of the mean loss, as `LossHistory.end_epoch` does."""
        shape = (len(self.seeds), self.n, len(self.widths))
        mean, unseen = (self.total / self.count).view(shape), (self.count == 0).view(shape)
        low = mean.masked_fill(unseen, torch.inf).amin(dim=1)
        high = mean.masked_fill(unseen, -torch.inf).amax(dim=1)
        differ = high > low
        self.low = low.masked_fill(~differ, 0.0)
        self.scale = (1.0 / (high - low)).masked_fill(~differ, 0.0)


class _Masks:
    """What all dropouts of a model drop: a byte is drawn for each unit, below a bound the unit is dropped.

    Parameters
    ----------
    dropouts : mapping of str to GivenDropout
        By name; those of the encoders come first.
    modalities : int
        M, the number of encoders.

    Attributes
    ----------
    width : int
        W, the number of units that may be dropped.
    bound : array [W] or [1], uint8
        Of each unit, or of all: below it, it is dropped.
    keep : float
        Share of units that the encoders keep, to 1/256 as they are drawn.
    others : list of str
        Names of the dropouts that are not the encoders'.

    Raises
    ------
    ConfigError
        If the encoders do not all have the same dropout.
    """

    def __init__(self, dropouts: Mapping[str, GivenDropout], modalities: int) -> None:
        self.encoders = [dropout for name, dropout in dropouts.items() if name.startswith("encoders.")]
        rest = {name: dropout for name, dropout in dropouts.items() if not name.startswith("encoders.")}
        self.others, self.rest = list(rest), list(rest.values())
        if self.encoders and (len({(m.rate, m.width) for m in self.encoders}) > 1 or len(self.encoders) != modalities):
            raise ConfigError(
                "the dropout of a method's encoders differs between modalities: expected one rate for all."
            )
        self.keep = 1 - _of_256(self.encoders[0]) / 256 if self.encoders else 1.0
        self.of_all_encoders = sum(dropout.width for dropout in self.encoders)
        each = [np.full(dropout.width, _of_256(dropout), np.uint8) for dropout in (*self.encoders, *self.rest)]
        bounds = np.concatenate([np.empty(0, np.uint8), *each])
        self.width = len(bounds)
        # One number where it is the same for all: comparing with a row of them takes three times as long.
        self.bound = bounds[:1] if (bounds == bounds[:1]).all() else bounds

    def of_encoders(self, kept: Tensor) -> Tensor | None:
        """Give the part [M, S, B, H] of the encoders of what is kept, [S, B, W]; None without dropout."""
        if not self.encoders:
            return None
        units: Tensor = kept[..., : self.of_all_encoders].unflatten(2, (len(self.encoders), -1))
        return units.permute(2, 0, 1, 3)

    def of_others(self, kept: Tensor) -> list[Tensor]:
        """Give a mask [S, B, width] for each of `others`, scaled to keep the mean."""
        parts = kept[..., self.of_all_encoders :].split([dropout.width for dropout in self.rest], dim=2)
        return [part / (1 - _of_256(dropout) / 256) for part, dropout in zip(parts, self.rest, strict=True)]


def _draw_bytes(generator: np.random.Generator, out: NDArray[np.uint8]) -> None:
    """Fill with what ``generator.bytes`` would give, in half the time: whole words, not halves put together."""
    state = generator.bit_generator.state
    # What the last draw has left of its word comes first.
    left = np.array([state["uinteger"]] * state["has_uint32"], dtype="<u4").view(np.uint8)
    words = generator.bit_generator.random_raw(-(-(len(out) - len(left)) // 8)).astype("<u8", copy=False)
    first = min(len(left), len(out))
    out[:first], out[first:] = left[:first], words.view(np.uint8)[: len(out) - first]


def _standardised(x: Tensor, buffers: Mapping[str, Tensor], m: int) -> Tensor:
    """Give ``x [S, N, D]`` of modality m in the units of each seed's training data."""
    mean, std = (buffers[f"encoders.{m}.{name}"][:, None] for name in ("mean", "std"))
    return (x - mean) / std


def _of_256(dropout: GivenDropout) -> int:
    return round(256 * dropout.rate)
