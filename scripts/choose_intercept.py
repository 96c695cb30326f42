"""Which intercept of the linear weights the benchmark's `paper` takes: the best on a part of the training data.

The paper's weights are ``w = alpha u + beta`` and leave ``beta`` to validation. Each seed's training samples are cut as
`qmf benchmark --trials` cuts them: models are trained on four fifths and asked about the fifth, as it is, undamaged.
The smallest value with the best mean accuracy is taken; it stands in the recipe under ``options``.

Usage: QMF_DATA=FOLDER python scripts/choose_intercept.py [--seeds 10] RECIPE...
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qmf.benchmark.budget import Budget
from qmf.benchmark.conditions import CLEAN
from qmf.benchmark.data import load_seed, prepare_task
from qmf.benchmark.methods.qmf import QMFPaper
from qmf.benchmark.part import Part
from qmf.benchmark.recipe import load_recipe
from qmf.benchmark.together import train_together
from qmf.benchmark.tuning import held_out

TRIED = (0.0, 0.5, 1.0, 2.0, 4.0)


def main() -> None:
    """Print a row for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="+", metavar="RECIPE")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    print("| recipe |", " | ".join(f"{beta:g}" for beta in TRIED), "|", flush=True)
    for name in arguments.recipes:
        scores = held_out_accuracy(name, range(arguments.seeds))
        print(f"| {name} |", " | ".join(f"{100 * score:.2f}" for score in scores), "|", flush=True)


def held_out_accuracy(name: str, seeds: Sequence[int]) -> list[float]:
    """Give the mean accuracy over seeds, for each intercept tried."""
    recipe = load_recipe(name)
    with tempfile.TemporaryDirectory() as folder:
        task = prepare_task(recipe.model_copy(update={"conditions": []}), seeds, Path(folder), lambda text: None)
        parts = [load_seed(Path(folder), seed, (CLEAN,)).training for seed in seeds]
    kept, held = held_out(parts, seeds)
    return [accuracy(beta, len(task.classes), recipe.budget.budget(), kept, held, seeds) for beta in TRIED]


def accuracy(
    beta: float, num_classes: int, budget: Budget, kept: Sequence[Part], held: Sequence[Part], seeds: Sequence[int]
) -> float:
    """Give the mean accuracy of one intercept."""
    widths = {name: x.shape[1] for name, x in kept[0].features.items()}
    trained = train_together(
        lambda: QMFPaper(widths, num_classes, hidden=budget.hidden, dropout=budget.dropout, beta=beta),
        kept,
        seeds,
        budget,
    )
    return float(np.mean([trained.accuracy(s, part) for s, part in enumerate(held)]))


if __name__ == "__main__":
    main()
