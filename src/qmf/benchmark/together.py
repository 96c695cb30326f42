"""Many seeds at once: models of one shape are trained in one vectorised pass, each on its own data and draws.

Every draw (initial weights, order of the samples, dropout) belongs to the seed and the epoch, so that a model trained
beside others is the one trained alone, up to the rounding of sums.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import stack_module_state

from qmf.benchmark.methods.base import GivenDropout, Method, Step
from qmf.benchmark.stacked_heads import StackedHeads
from qmf.benchmark.vectorised_loss import VectorisedLoss
from qmf.errors import DataError
from qmf.randomness import derive_seed, keyed_generator
from qmf.training.random_state import seeded
from qmf.types import FusionOutput

__all__ = ["Budget", "Part", "Trained", "train_together"]

_ROWS = 4096  # per forward pass at prediction


@dataclass(frozen=True)
class Budget:
    """What every method may spend, and the settings all of them share.

    Attributes
    ----------
    epochs, batch_size, learning_rate, weight_decay
        AdamW with a cosine schedule down to 0, to the last epoch.
    hidden, dropout
        Of each encoder.
    """

    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    hidden: int = 128
    dropout: float = 0.3


@dataclass(frozen=True)
class Part:
    """Samples as a method sees them.

    Attributes
    ----------
    features : dict of str to ndarray [N, D_m], float32
        By modality, in order.
    present : ndarray [N, M], bool
        True where a modality is there.
    target : ndarray [N], int64
        True classes.
    damaged : ndarray [N, M], bool
        True where the benchmark has damaged a modality; all False in training.
    ids : ndarray [N] of str
        Sample ids.
    """

    features: dict[str, NDArray[np.float32]]
    present: NDArray[np.bool_]
    target: NDArray[np.int64]
    damaged: NDArray[np.bool_]
    ids: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: NDArray[np.intp]) -> Part:
        """Give some of the samples."""
        features = {name: x[rows] for name, x in self.features.items()}
        return Part(features, self.present[rows], self.target[rows], self.damaged[rows], self.ids[rows])


class Trained:
    """S trained models of one method.

    Parameters
    ----------
    models : sequence of Method
        In the order of the seeds.
    """

    def __init__(self, models: Sequence[Method]) -> None:
        self.models = [model.eval() for model in models]

    def __call__(self, s: int, part: Part) -> FusionOutput:
        """Ask the model of seed number `s`; an oracle is told what was damaged."""
        model, present = self.models[s], torch.from_numpy(part.present)
        if model.sees_damage:
            intact = present & ~torch.from_numpy(part.damaged)
            present = torch.where(intact.any(dim=1, keepdim=True), intact, present)
        outputs = []
        with torch.inference_mode():
            for start in range(0, len(part), _ROWS):
                rows = slice(start, start + _ROWS)
                x = [torch.from_numpy(part.features[name][rows]) for name in model.modalities]
                outputs.append(model(x, present[rows]))
        return FusionOutput.joined(outputs)

    @property
    def parameters(self) -> int:
        """Number of trained parameters of one model."""
        return sum(p.numel() for p in self.models[0].parameters())


def train_together(make: Callable[[], Method], parts: Sequence[Part], seeds: Sequence[int], budget: Budget) -> Trained:
    """Train one model per seed, all in one pass where their data have the same size.

    Parameters
    ----------
    make : callable
        Gives an untrained model; the global generator is seeded for each.
    parts : sequence of S Part
        Training samples of each seed.
    seeds : sequence of S int
        Keys of all draws.
    budget : Budget
        How long, and how.

    Returns
    -------
    Trained
        The models.

    Raises
    ------
    DataError
        If the parts differ in size: train them one by one.
    """
    if len({len(part) for part in parts}) != 1:
        raise DataError(f"training parts of {[len(p) for p in parts]} samples cannot be trained together.")
    models = [_initial(make, part, seed) for part, seed in zip(parts, seeds, strict=True)]
    _choose(models, make, parts, seeds, budget)
    params, buffers = stack_module_state(models)
    _Pass(models[0], params, buffers, parts, seeds, budget).run()
    for s, (model, part) in enumerate(zip(models, parts, strict=True)):
        model.load_state_dict({name: value[s].detach() for name, value in params.items()}, strict=False)
        model.settle([torch.from_numpy(part.features[n]) for n in model.modalities], torch.from_numpy(part.present))
    return Trained(models)


class _Pass:
    """One vectorised training: parameters, data and histories have a leading axis of S seeds."""

    def __init__(
        self,
        model: Method,
        params: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        parts: Sequence[Part],
        seeds: Sequence[int],
        budget: Budget,
    ) -> None:
        self.model = copy.deepcopy(model).train()
        self.seeds, self.budget = seeds, budget
        self.params = {name: p for name, p in params.items() if not name.startswith("encoders.")}
        names = model.modalities
        stacked = [torch.from_numpy(np.stack([part.features[name] for part in parts])) for name in names]
        # Standardised once, not in every step: half of the time of a step went there.
        self.z = [_standardised(v, buffers, m) for m, v in enumerate(stacked)]
        self.present = torch.from_numpy(np.stack([part.present for part in parts]))
        self.complete = bool(self.present.all())
        self.target = torch.from_numpy(np.stack([part.target for part in parts]))
        self.row = torch.arange(len(seeds))[:, None]
        self.masks = {name: m for name, m in model.named_modules() if isinstance(m, GivenDropout) and m.rate > 0}
        self.heads = StackedHeads(params, [self._share(_dropout(m)) for m in range(len(names))])
        self.other_dropouts = [name for name in self.masks if not name.startswith("encoders.")]
        self.buffers = {name: b for name, b in buffers.items() if not name.startswith("encoders.")}
        masks = [f"{name}.mask" for name in self.other_dropouts]
        self.loss = VectorisedLoss(self.model, [*self.params, *self.buffers, *masks], complete=self.complete)
        shape = self.present.shape
        self.total, self.count = torch.zeros(shape), torch.zeros(shape)
        self.low = self.scale = torch.zeros(shape[0], shape[2])
        self.optimiser = torch.optim.AdamW(
            list(params.values()), budget.learning_rate, weight_decay=budget.weight_decay, fused=True
        )

    def run(self) -> None:
        """Train to the last epoch."""
        n, size = self.target.shape[1], self.budget.batch_size
        steps = -(-n // size)
        done, all_steps = 0, steps * self.budget.epochs
        for epoch in range(self.budget.epochs):
            order, draws = self._draws(epoch, n)
            for start in range(0, n, size):
                for group in self.optimiser.param_groups:
                    group["lr"] = self.budget.learning_rate * 0.5 * (1 + np.cos(np.pi * done / all_steps))
                rows = slice(start, start + size)
                self._step(order[:, rows], self._kept(draws[:, rows]), epoch)
                done += 1
            if self.model.remembers:
                self._end_epoch()

    def _draws(self, epoch: int, n: int) -> tuple[Tensor, Tensor]:
        """Give the order of the samples [S, N] and a byte [S, N, W] for each unit that dropout may switch off."""
        orders, drawn = [], []
        for seed in self.seeds:
            generator = keyed_generator(seed, "benchmark epoch", epoch)
            orders.append(torch.from_numpy(generator.permutation(n)))
            # A byte for each unit: a rate is kept to 1/256, and drawing takes a tenth of the time of drawing floats.
            units = n * sum(dropout.width for dropout in self.masks.values())
            drawn.append(torch.from_numpy(np.frombuffer(generator.bytes(units), dtype=np.uint8).copy()))
        return torch.stack(orders), torch.stack(drawn).view(len(drawn), n, -1)

    def _kept(self, draw: Tensor) -> dict[str, Tensor]:
        """Give a mask [S, B, width] for each dropout: 0 at its rate, else 1."""
        parts = draw.split([dropout.width for dropout in self.masks.values()], dim=2)
        masks = {}
        for (name, dropout), part in zip(self.masks.items(), parts, strict=True):
            # Straight into floats: a boolean mask costs five times as much, here and where it is used.
            masks[name] = torch.ge(part, _of_256(dropout), out=torch.empty(part.shape))
        return masks

    @torch.no_grad()
    def _step(self, index: Tensor, kept: dict[str, Tensor], epoch: int) -> None:
        present, target = _rows(self.present, index), _rows(self.target, index)
        z = [_rows(v, index) for v in self.z]
        h, f = self.heads.forward(z, self._masks(kept, present))
        progress = torch.tensor(epoch / self.budget.epochs)
        step = Step(progress, self.total[self.row, index], self.count[self.row, index], self.low, self.scale)
        buffers = [*self.buffers.values(), *(kept[name] / self._share(name) for name in self.other_dropouts)]
        each, gradients = self.loss(h, f, list(self.params.values()), buffers, present, target, step)
        self.heads.backward(z, h, gradients)
        for name, gradient in zip(self.params, gradients[len(h) + 1 :], strict=True):
            if gradient is not None:
                param = self.params[name]  # a method may use the heads once more, on other features
                param.grad = gradient if param.grad is None else param.grad + gradient
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.model.remembers:
            self.total[self.row, index] += each * present
            self.count[self.row, index] += present

    def _masks(self, kept: dict[str, Tensor], present: Tensor) -> list[Tensor | None]:
        """Give the mask of each modality's features: 0 where dropped or absent."""
        masks = [kept.get(_dropout(m)) for m in range(len(self.z))]
        if self.complete:
            return masks
        there = present.float()[..., None].unbind(dim=2)
        return [gone if mask is None else mask.mul_(gone) for mask, gone in zip(masks, there, strict=True)]

    def _share(self, dropout: str) -> float:
        """Give the share of units that a dropout keeps, to 1/256 as they are drawn."""
        return 1 - _of_256(self.masks[dropout]) / 256 if dropout in self.masks else 1.0

    def _end_epoch(self) -> None:
        """Take the bounds of the mean loss, as `LossHistory.end_epoch` does."""
        mean, unseen = self.total / self.count, self.count == 0
        low = mean.masked_fill(unseen, torch.inf).amin(dim=1)
        high = mean.masked_fill(unseen, -torch.inf).amax(dim=1)
        differ = high > low
        self.low = low.masked_fill(~differ, 0.0)
        self.scale = (1.0 / (high - low)).masked_fill(~differ, 0.0)


def _standardised(x: Tensor, buffers: Mapping[str, Tensor], m: int) -> Tensor:
    """Give ``x [S, N, D]`` of modality m in the units of each seed's training data."""
    mean, std = (buffers[f"encoders.{m}.{name}"][:, None] for name in ("mean", "std"))
    return (x - mean) / std


def _dropout(m: int) -> str:
    return f"encoders.{m}.dropout"


def _of_256(dropout: GivenDropout) -> int:
    return round(256 * dropout.rate)


def _rows(x: Tensor, index: Tensor) -> Tensor:
    """Give ``x [S, N, ...]`` at the rows [S, B] of each seed."""
    s, n = x.shape[:2]
    flat = (index + n * torch.arange(s)[:, None]).flatten()
    return torch.unflatten(x.flatten(0, 1).index_select(0, flat), 0, index.shape)


def _initial(make: Callable[[], Method], part: Part, seed: int) -> Method:
    with seeded(seed, "initial weights"):
        model = make()
    for m, (name, encoder) in enumerate(zip(model.modalities, model.encoders, strict=True)):
        encoder.standardise(torch.from_numpy(part.features[name][part.present[:, m]]))  # type: ignore[operator]
    return model


def _choose(
    models: list[Method], make: Callable[[], Method], parts: Sequence[Part], seeds: Sequence[int], budget: Budget
) -> None:
    """Let a method that uses one modality choose it: on a fifth of the training data that this run does not see."""
    if not models[0].chooses:
        return
    cut = round(0.8 * len(parts[0]))
    orders = [np.random.default_rng(derive_seed(seed, "choose")).permutation(len(parts[0])) for seed in seeds]
    kept = [part.take(order[:cut]) for part, order in zip(parts, orders, strict=True)]
    trial = [_initial(make, part, seed) for part, seed in zip(kept, seeds, strict=True)]
    params, buffers = stack_module_state(trial)
    _Pass(trial[0], params, buffers, kept, seeds, budget).run()
    for s, (model, part, order) in enumerate(zip(models, parts, orders, strict=True)):
        trial[s].load_state_dict({name: value[s].detach() for name, value in params.items()}, strict=False)
        held = part.take(order[cut:])
        right = Trained([trial[s]])(0, held).unimodal_logits.argmax(dim=-1) == torch.from_numpy(held.target)[:, None]
        score = (right.numpy() & held.present).mean(axis=0)
        model.chosen = torch.zeros(len(score)).index_fill(0, torch.tensor(int(score.argmax())), 1.0)
