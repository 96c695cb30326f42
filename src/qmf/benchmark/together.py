"""Many seeds at once: models of one shape are trained in one vectorised pass, each on its own data and draws.

Every draw (initial weights, order of the samples, dropout) belongs to the seed and the epoch, so that a model trained
beside others is the one trained alone, up to the rounding of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from qmf.benchmark.budget import Budget
from qmf.benchmark.methods.base import Method
from qmf.benchmark.part import Part
from qmf.benchmark.vectorised_training import vectorised_training
from qmf.errors import DataError
from qmf.randomness import derive_seed
from qmf.training.random_state import seeded
from qmf.types import FusionOutput

__all__ = ["Trained", "train_together"]

_ROWS = 4096  # per forward pass at prediction


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

    def accuracy(self, s: int, part: Part) -> float:
        """Give the share of samples that model number `s` gets right."""
        return float((self(s, part).logits.argmax(dim=1).numpy() == part.target).mean())

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
    params = vectorised_training(models, parts, seeds, budget)
    for s, (model, part) in enumerate(zip(models, parts, strict=True)):
        model.load_state_dict({name: value[s] for name, value in params.items()}, strict=False)
        model.settle([torch.from_numpy(part.features[n]) for n in model.modalities], torch.from_numpy(part.present))
    return Trained(models)


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
    params = vectorised_training(trial, kept, seeds, budget)
    for s, (model, part, order) in enumerate(zip(models, parts, orders, strict=True)):
        trial[s].load_state_dict({name: value[s] for name, value in params.items()}, strict=False)
        held = part.take(order[cut:])
        right = Trained([trial[s]])(0, held).unimodal_logits.argmax(dim=-1) == torch.from_numpy(held.target)[:, None]
        score = (right.numpy() & held.present).mean(axis=0)
        model.chosen = torch.zeros(len(score)).index_fill(0, torch.tensor(int(score.argmax())), 1.0)
