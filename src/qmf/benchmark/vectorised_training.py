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
from qmf.randomness import keyed_generator
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
        self.optimiser = torch.optim.AdamW(
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
        self.low = self.scale = torch.zeros(len(seeds), len(self.widths), device=device)
        dropouts = {name: m for name, m in self.model.named_modules() if isinstance(m, GivenDropout) and m.rate > 0}
        self.masks = _Masks(dropouts, len(self.widths))
        self.drawn = torch.empty(
            len(seeds), self.n, self.masks.width, dtype=torch.uint8
        )  # on the host, each epoch anew
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
            order, draws = self._draws(epoch)
            progress = torch.tensor(epoch / self.budget.epochs, device=self.device)
            for start in range(0, self.n, size):
                rate = self.budget.learning_rate * 0.5 * (1 + np.cos(np.pi * done / steps))
                self.optimiser.param_groups[0]["lr"] = rate
                batch = slice(start, start + size)
                self._step(order[:, batch] + offset, draws[:, batch], progress)
                done += 1
            if self.model.remembers:
                self._end_epoch()

    def _draws(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Give the order of the samples [S, N] and a byte [S, N, W] for each unit that dropout may switch off."""
        orders = []
        for seed, own in zip(self.seeds, self.drawn.numpy(), strict=True):
            generator = keyed_generator(seed, "benchmark epoch", epoch)
            orders.append(torch.from_numpy(generator.permutation(self.n)))
            # A byte for each unit: a rate is kept to 1/256, and drawing takes a tenth of the time of drawing floats.
            own[:] = _bytes(generator, own.size).reshape(own.shape)
        return torch.stack(orders).to(self.device), self.drawn.to(self.device)

    @torch.no_grad()
    def _step(self, index: Tensor, draws: Tensor, progress: Tensor) -> None:
        rows = index.flatten()
        present, target, total, count = (
            table.index_select(0, rows).unflatten(0, index.shape)
            for table in (self.present, self.target, self.total, self.count)
        )
        z = self.memory("z", len(rows), self.z.shape[1])
        torch.index_select(self.z, 0, rows, out=z)
        z = z.unflatten(0, index.shape).split(self.widths, dim=2)
        h, f = self.heads.forward(z, self._mask(draws, present))
        step = Step(progress, total, count, self.low, self.scale)
        written = self.model.written_step(f.permute(2, 0, 3, 1), target, step) if self.complete else None
        if written is not None:
            each = written[1].permute(1, 2, 0)
            self.heads.backward(z, h, [*[None] * len(h), written[0].permute(1, 3, 0, 2)])
        else:
            each = self._by_tracing(z, h, f, draws, present, target, step)
        self.optimiser.step()
        if self.model.remembers:
            self.total.index_add_(0, rows, (each * present).flatten(0, 1))
            self.count.index_add_(0, rows, present.float().flatten(0, 1))

    def _by_tracing(
        self, z: Sequence[Tensor], h: Tensor, f: Tensor, draws: Tensor, present: Tensor, target: Tensor, step: Step
    ) -> Tensor:
        """Leave the gradients of a step; give the unimodal losses [S, B, M]."""
        buffers = [*self.buffers.values(), *self.masks.of_others(draws)]
        each, gradients = self.loss(h.unbind(), f, list(self.shared.values()), buffers, present, target, step)
        self.heads.backward(z, h, gradients[: len(h) + 1])
        for name, held, gradient in zip(self.shared, self.shared_gradients, gradients[len(h) + 1 :], strict=True):
            if gradient is not None:
                # A method may use the heads once more, on other features.
                held.add_(gradient) if name.startswith("heads.") else held.copy_(gradient)
        return each

    def _mask(self, draws: Tensor, present: Tensor) -> Tensor | None:
        """Give the mask [M, S, B, H] of the features: 0 where dropped or absent."""
        mask = self.masks.of_encoders(draws, self.memory)
        if self.complete:
            return mask
        there = present.float().permute(2, 0, 1)[..., None]
        return there if mask is None else mask.mul_(there)

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
    """From drawn bytes to the masks of all dropouts of a model: one byte for each unit, below a bound it is dropped.

    Parameters
    ----------
    dropouts : mapping of str to GivenDropout
        By name; those of the encoders come first.
    modalities : int
        M, the number of encoders.

    Attributes
    ----------
    width : int
        Bytes that a sample takes.
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
        self.width = self.of_all_encoders + sum(dropout.width for dropout in self.rest)

    def of_encoders(self, draw: Tensor, memory: Workspace) -> Tensor | None:
        """Give a mask [M, S, B, H] of 0 and 1 from bytes [S, B, W]; None without dropout."""
        if not self.encoders:
            return None
        units = draw[..., : self.of_all_encoders].unflatten(2, (len(self.encoders), -1)).permute(2, 0, 1, 3)
        # In order first: comparing in strips takes ten times as long. And straight into floats: a boolean mask costs
        # five times as much, here and where it is used.
        units = memory("units", *units.shape, dtype=torch.uint8).copy_(units)
        return torch.ge(units, _of_256(self.encoders[0]), out=memory("mask", *units.shape))

    def of_others(self, draw: Tensor) -> list[Tensor]:
        """Give a mask [S, B, width] for each of `others`, scaled to keep the mean."""
        parts = draw[..., self.of_all_encoders :].split([dropout.width for dropout in self.rest], dim=2)
        bounds = [_of_256(dropout) for dropout in self.rest]
        return [(part >= bound) / (1 - bound / 256) for part, bound in zip(parts, bounds, strict=True)]


def _bytes(generator: np.random.Generator, n: int) -> NDArray[np.uint8]:
    """Give what ``generator.bytes(n)`` would give, in half the time: whole words, not halves put together."""
    state = generator.bit_generator.state
    # What the last draw has left of its word comes first.
    left = np.array([state["uinteger"]] * state["has_uint32"], dtype="<u4").view(np.uint8)
    words = generator.bit_generator.random_raw(-(-(n - len(left)) // 8)).astype("<u8", copy=False)
    return np.concatenate([left, words.view(np.uint8)])[:n]


def _standardised(x: Tensor, buffers: Mapping[str, Tensor], m: int) -> Tensor:
    """Give ``x [S, N, D]`` of modality m in the units of each seed's training data."""
    mean, std = (buffers[f"encoders.{m}.{name}"][:, None] for name in ("mean", "std"))
    return (x - mean) / std


def _of_256(dropout: GivenDropout) -> int:
    return round(256 * dropout.rate)
