"""What each part of the preset `robust` brings, and damage that was thought of after it was made.

Prints two tables for docs/robustness.md. The second suite is not in `qmf.corruptions`: its damages were written when
the constants of typicality and agreement stood, and nothing in these was changed after they were seen.

Usage: QMF_DATA=FOLDER python scripts/robustness.py [--seeds 10] [RECIPE...]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qmf.benchmark.conditions import CLEAN, VECTOR_SUITE
from qmf.benchmark.data import load_seed, prepare_task
from qmf.benchmark.methods import METHODS, Method
from qmf.benchmark.methods.robust import QMFRobust
from qmf.benchmark.part import Part
from qmf.benchmark.recipe import load_recipe
from qmf.benchmark.together import train_together
from qmf.corruptions import paper_hit
from qmf.fusion import fuse_credible, fuse_logits
from qmf.randomness import keyed_generator
from qmf.types import FusionOutput
from qmf.uncertainty.credibility import MOST, PRIOR
from qmf.weighting import SimplexWeights

Damage = Callable[[np.random.Generator, NDArray[np.float32], NDArray[np.float32]], NDArray[np.floating]]


class AgreementOnly(QMFRobust):
    """Nothing is known of what is typical."""

    title = "agreement only"

    def settle(self, x: Sequence[Tensor], present: Tensor) -> None:
        """Learn nothing."""


class WithoutJoint(QMFRobust):
    """The head that sees all modalities helps to train the encoders, and is not asked."""

    title = "without the joint head"

    def forward(self, x: Sequence[Tensor], present: Tensor) -> FusionOutput:
        """Classify a batch."""
        _, f = self.unimodal(x, present)
        return fuse_credible(f, self.uncertainty, x, present, self.weighting)


class TypicalityOnly(QMFRobust):
    """Logits weighed by typicality; what the modalities say of one another does not count."""

    title = "typicality only"

    def forward(self, x: Sequence[Tensor], present: Tensor) -> FusionOutput:
        """Classify a batch."""
        _, f = self.unimodal(x, present)
        evidence = self.uncertainty.evidence(x, f)
        damaged = (evidence + np.log(PRIOR / (1 - PRIOR))).sigmoid().clamp(max=MOST)
        return fuse_logits(f, -torch.log1p(-damaged), present, SimplexWeights())


PARTS: dict[str, type[Method]] = {
    "robust": QMFRobust,
    "without the joint head": WithoutJoint,
    "typicality only": TypicalityOnly,
    "agreement only": AgreementOnly,
    "neither (static)": METHODS["static"],
}
BASELINES = ("robust", "paper", "static", "probability-average", "tmc", "etmc", "ecml", "mask-oracle")

UNSEEN: dict[str, Damage] = {
    "features in another order": lambda g, x, train: x[g.permutation(len(x))],
    "signs turned at random": lambda g, x, train: train.mean(0) + (x - train.mean(0)) * g.choice([-1.0, 1.0], len(x)),
    "offset of 2 deviations": lambda g, x, train: x + 2 * train.std(0),
    "the mean sample": lambda g, x, train: train.mean(0),
    "heavy-tailed noise": lambda g, x, train: x + 0.5 * train.std(0) * g.standard_cauchy(len(x)),
    "uniform over the range": lambda g, x, train: g.uniform(train.min(0), train.max(0)),
    "rounded to 3 levels": lambda g, x, train: _rounded(x, train),
    "half the features missing, as 0": lambda g, x, train: np.where(g.random(len(x)) < 0.5, 0.0, x),
}


def main() -> None:
    """Print both tables for each data set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipes", nargs="*", default=["handwritten", "landuse21", "scene15"])
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    for name in arguments.recipes:
        report(name, list(range(arguments.seeds)))


def report(name: str, seeds: list[int]) -> None:
    """Print both tables for one data set."""
    recipe = load_recipe(name)
    budget, conditions = recipe.budget.budget(), [c for c in VECTOR_SUITE if c.in_suite]
    with tempfile.TemporaryDirectory() as folder:
        task = prepare_task(recipe, seeds, Path(folder), lambda text: None)
        data = [load_seed(Path(folder), seed, conditions) for seed in seeds]
    widths, classes = dict(zip(task.modalities, task.widths, strict=True)), len(task.classes)
    parts = [d.training for d in data]

    def accuracy(method: type[Method], tests: list[dict[str, Part]], **options: float) -> dict[str, float]:
        def make() -> Method:
            return method(widths, classes, hidden=budget.hidden, dropout=budget.dropout, **options)

        trained = train_together(make, parts, seeds, budget)
        found: dict[str, list[float]] = {}
        for s, test in enumerate(tests):
            for situation, part in test.items():
                guess = trained(s, part).logits.argmax(dim=1).numpy()
                found.setdefault(situation, []).append(float((guess == part.target).mean()))
        return {situation: 100 * float(np.mean(values)) for situation, values in found.items()}

    table(f"{name}: parts", {title: accuracy(m, [d.tests for d in data]) for title, m in PARTS.items()})
    unseen = [
        {title: damaged(d.tests[CLEAN.name], d.training, title, seed) for title in UNSEEN}
        for d, seed in zip(data, seeds, strict=True)
    ]
    rows = {METHODS[m].title: accuracy(METHODS[m], unseen, **recipe.options.get(m, {})) for m in BASELINES}
    table(f"{name}: damage added afterwards", rows)


def damaged(test: Part, training: Part, title: str, seed: int) -> Part:
    """Damage each view of each sample with probability 0.5."""
    features, hit = {}, np.zeros_like(test.present)
    for m, (name, x) in enumerate(test.features.items()):
        hit[:, m] = [paper_hit(seed, key, name) for key in test.ids.tolist()]
        there, new = training.features[name], x.copy()
        for n in np.flatnonzero(hit[:, m]):
            generator = keyed_generator(seed, "unseen", title, str(test.ids[n]), name)
            new[n] = UNSEEN[title](generator, x[n], there)
        features[name] = new
    return replace(test, features=features, damaged=hit)


def table(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print a table in Markdown."""
    situations = list(next(iter(rows.values())))
    print(f"\n{title}\n\n| | {' | '.join(situations)} | mean |\n|{'---|' * (len(situations) + 2)}")
    for name, values in rows.items():
        mean = sum(values.values()) / len(values)
        print(f"| {name} | {' | '.join(f'{values[s]:.1f}' for s in situations)} | {mean:.1f} |", flush=True)


def _rounded(x: NDArray[np.float32], training: NDArray[np.float32]) -> NDArray[np.floating]:
    low, high = training.min(0), training.max(0)
    step = np.where(high > low, (high - low) / 2, 1)
    levels: NDArray[np.floating] = low + step * np.round((x - low) / step)
    return levels


if __name__ == "__main__":
    main()
