"""What it brings to train all seeds in one vectorised pass instead of one after the other.

On the embedded handwritten digits, six feature views, the widths of the benchmark. Ways in turn, round by round, on the
same data and epochs: all seeds together as `qmf benchmark` trains them, shared out among as many processes as there are
cores, of one thread each, that are running already; all together in this process, with its threads; the same trainer
with one seed at a time; and, for `paper`, `QMFClassifier` with one seed at a time. Prints times and ratios; for several
methods also those of all of them.

    python benchmarks/many_seeds.py [--methods paper | all | A,B] [--seeds 10] [--epochs 20] [--rounds 3] [--jobs CORES]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
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

Ways = dict[str, Callable[[], None]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="paper")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    methods = list(METHODS) if arguments.methods == "all" else arguments.methods.split(",")
    seeds, budget, first = tuple(range(arguments.seeds)), Budget(epochs=arguments.epochs), Budget(epochs=1)
    medians: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder, worker_pool(arguments.jobs) as pool:
        prepare(folder, seeds)
        for method in methods:
            # The first call of everything is slower.
            for done in [pool.submit(train, method, folder, seeds, first) for _ in range(2 * arguments.jobs)]:
                done.result()
            train(method, folder, seeds, first)
            ways = ways_to_train(method, folder, seeds, budget, pool, arguments.jobs)
            times = [{name: seconds(run) for name, run in ways.items()} for _ in range(arguments.rounds)]
            medians.append({name: statistics.median(row[name] for row in times) for name in ways})
            show(f"{method}, {len(seeds)} seeds, {budget.epochs} epochs", times)
    if len(methods) > 1:
        common = [name for name in medians[0] if all(name in row for row in medians)]
        show(f"all {len(methods)} methods", [{name: sum(row[name] for row in medians) for name in common}])


def ways_to_train(method: str, folder: str, seeds: tuple[int, ...], budget: Budget, pool: Executor, jobs: int) -> Ways:
    """Give what is to be timed, by name; the first two train all seeds together."""
    groups = shared_out(seeds, jobs)

    def shared() -> None:
        for done in [pool.submit(train, method, folder, group, budget) for group in groups]:
            done.result()

    def one_by_one() -> None:
        for seed in seeds:
            train(method, folder, (seed,), budget)

    def estimators() -> None:
        for seed in seeds:
            part = training_part(folder, seed)
            model = QMFClassifier(preset="paper", epochs=budget.epochs, validation_fraction=0, random_state=seed)
            model.fit(part.features, part.target)

    ways: Ways = {
        f"together, {len(groups)} processes": shared,
        "together, this process": partial(train, method, folder, seeds, budget),
        "one by one": one_by_one,
    }
    return ways | ({"QMFClassifier": estimators} if method == "paper" else {})


def prepare(folder: str, seeds: Sequence[int]) -> None:
    """Write the data of these seeds into a folder."""
    prepare_task(load_recipe("handwritten"), seeds, Path(folder), lambda text: None)


def train(method: str, folder: str, seeds: tuple[int, ...], budget: Budget) -> None:
    """Train the models of some seeds together."""
    parts = [training_part(folder, seed) for seed in seeds]
    widths = {name: x.shape[1] for name, x in parts[0].features.items()}

    def make() -> Method:
        return METHODS[method](widths, 10, hidden=budget.hidden, dropout=budget.dropout)

    train_together(make, parts, seeds, budget)


@cache
def training_part(folder: str, seed: int) -> Part:
    """Give the training samples of a seed, read once in each process."""
    return load_seed(Path(folder), seed, (CLEAN,)).training


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def show(what: str, times: Sequence[dict[str, float]]) -> None:
    """Print the medians over the rounds, and the ratios of the later two ways to the first two."""
    names = list(times[0])
    print(what + ": " + ", ".join(f"{n} {statistics.median(row[n] for row in times):.2f} s" for n in names))
    for together in names[:2]:
        for alone in names[2:]:
            ratios = [row[alone] / row[together] for row in times]
            rounds = f" (rounds: {', '.join(f'{r:.2f}' for r in ratios)})" if len(ratios) > 1 else ""
            print(f"  {alone} / {together}: {statistics.median(ratios):.2f}{rounds}", flush=True)


if __name__ == "__main__":
    main()
