"""What it brings to train all seeds in one vectorised pass instead of one after the other.

QMF's `paper` on the embedded handwritten digits, six feature views, the widths of the benchmark. Three ways in turn,
round by round, on the same data and epochs: all seeds together; the same trainer with one seed at a time; and
`QMFClassifier` with one seed at a time. Prints the times and two ratios.

    python benchmarks/many_seeds.py [--seeds 10] [--epochs 20] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from qmf import QMFClassifier
from qmf.benchmark.budget import Budget
from qmf.benchmark.conditions import CLEAN
from qmf.benchmark.data import load_seed, prepare_task
from qmf.benchmark.methods import METHODS
from qmf.benchmark.methods.base import Method
from qmf.benchmark.part import Part
from qmf.benchmark.recipe import load_recipe
from qmf.benchmark.together import train_together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    seeds, budget = list(range(arguments.seeds)), Budget(epochs=arguments.epochs)
    parts = training_parts(seeds)
    widths = {name: x.shape[1] for name, x in parts[0].features.items()}

    def make() -> Method:
        return METHODS["paper"](widths, 10, hidden=budget.hidden, dropout=budget.dropout)

    def together() -> None:
        train_together(make, parts, seeds, budget)

    def one_by_one() -> None:
        for seed, part in zip(seeds, parts, strict=True):
            train_together(make, [part], [seed], budget)

    def estimators() -> None:
        for seed, part in zip(seeds, parts, strict=True):
            model = QMFClassifier(preset="paper", epochs=budget.epochs, validation_fraction=0, random_state=seed)
            model.fit(part.features, part.target)

    train_together(make, parts, seeds, Budget(epochs=1))  # the first call of everything is slower
    times = [[seconds(run) for run in (together, one_by_one, estimators)] for _ in range(arguments.rounds)]
    for name, column in zip(("together", "one by one", "QMFClassifier"), zip(*times, strict=True), strict=True):
        print(f"{name:>14}: {statistics.median(column):6.2f} s for {len(seeds)} seeds, {budget.epochs} epochs")
    for name, way in (("one by one", 1), ("QMFClassifier", 2)):
        ratios = [row[way] / row[0] for row in times]
        print(f"{name} / together: {statistics.median(ratios):.2f} (rounds: {', '.join(f'{r:.2f}' for r in ratios)})")


def training_parts(seeds: list[int]) -> list[Part]:
    with tempfile.TemporaryDirectory() as folder:
        prepare_task(load_recipe("handwritten"), seeds, Path(folder), lambda text: None)
        return [load_seed(Path(folder), seed, (CLEAN,)).training for seed in seeds]


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
