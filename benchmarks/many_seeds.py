"""What it brings to train all seeds in one vectorised pass instead of one after the other.

QMF's `paper` on the embedded handwritten digits, six feature views, the widths of the benchmark. Four ways in turn,
round by round, on the same data and epochs: all seeds together as `qmf benchmark` trains them, shared out among as many
processes as there are cores, of one thread each, that are running already; all together in this process, with its
threads; the same trainer with one seed at a time; and `QMFClassifier` with one seed at a time. Prints times and ratios.

    python benchmarks/many_seeds.py [--seeds 10] [--epochs 20] [--rounds 3] [--jobs CORES]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
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
from qmf.benchmark.workers import shared_out, worker_pool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    seeds, budget = tuple(range(arguments.seeds)), Budget(epochs=arguments.epochs)
    with tempfile.TemporaryDirectory() as folder, worker_pool(arguments.jobs) as pool:
        prepare(folder, seeds)
        groups = shared_out(seeds, arguments.jobs)

        def shared() -> None:
            for done in [pool.submit(train, folder, group, budget) for group in groups]:
                done.result()

        def one_by_one() -> None:
            for seed in seeds:
                train(folder, (seed,), budget)

        def estimators() -> None:
            for seed in seeds:
                part = training_part(folder, seed)
                model = QMFClassifier(preset="paper", epochs=budget.epochs, validation_fraction=0, random_state=seed)
                model.fit(part.features, part.target)

        ways: dict[str, Callable[[], None]] = {
            f"together, {len(groups)} processes": shared,
            "together, this process": partial(train, folder, seeds, budget),
            "one by one": one_by_one,
            "QMFClassifier": estimators,
        }
        first = Budget(epochs=1)  # the first call of everything is slower
        for done in [pool.submit(train, folder, seeds, first) for _ in range(2 * arguments.jobs)]:
            done.result()
        train(folder, seeds, first)
        times = [[seconds(run) for run in ways.values()] for _ in range(arguments.rounds)]
    for name, column in zip(ways, zip(*times, strict=True), strict=True):
        print(f"{name:>23}: {statistics.median(column):6.2f} s for {len(seeds)} seeds, {budget.epochs} epochs")
    for together in (0, 1):
        for alone in (2, 3):
            ratios = [row[alone] / row[together] for row in times]
            rounds = ", ".join(f"{r:.2f}" for r in ratios)
            print(f"{list(ways)[alone]} / {list(ways)[together]}: {statistics.median(ratios):.2f} (rounds: {rounds})")


def prepare(folder: str, seeds: Sequence[int]) -> None:
    """Write the data of these seeds into a folder."""
    prepare_task(load_recipe("handwritten"), seeds, Path(folder), lambda text: None)


def train(folder: str, seeds: tuple[int, ...], budget: Budget) -> None:
    """Train the models of some seeds together."""
    parts = [training_part(folder, seed) for seed in seeds]
    widths = {name: x.shape[1] for name, x in parts[0].features.items()}

    def make() -> Method:
        return METHODS["paper"](widths, 10, hidden=budget.hidden, dropout=budget.dropout)

    train_together(make, parts, seeds, budget)


@cache
def training_part(folder: str, seed: int) -> Part:
    """Give the training samples of a seed, read once in each process."""
    return load_seed(Path(folder), seed, (CLEAN,)).training


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
