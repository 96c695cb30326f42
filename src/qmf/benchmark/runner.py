"""The runner: every method on every condition and seed; a killed run goes on where it stopped."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from qmf.benchmark.budget import Budget
from qmf.benchmark.conditions import Condition
from qmf.benchmark.data import Task, load_seed, prepare_task
from qmf.benchmark.methods import METHODS, Method, find_method
from qmf.benchmark.recipe import Recipe
from qmf.benchmark.workers import WORKER_ENVIRONMENT, shared_out, worker_pool
from qmf.errors import ConfigError, RunError
from qmf.files import atomic_path, atomic_write_text
from qmf.model_folder import package_versions

__all__ = ["Progress", "Unit", "read_rows", "run_benchmark", "sample_file"]

_SETTINGS = "benchmark.json"


@dataclass(frozen=True)
class Unit:
    """Work for one process: a method, some or all of its seeds trained together, asked about every condition.

    Attributes
    ----------
    folder : str
        Of the benchmark.
    method : str
        Its name.
    seeds : tuple of int
        Which; at least one is not done yet.
    conditions : tuple of Condition
        All of them.
    budget : Budget
        What it may spend.
    num_classes : int
        K.
    options : dict of str to float
        Of the method itself.
    shown : int
        The seed whose samples are kept for the report.
    """

    folder: str
    method: str
    seeds: tuple[int, ...]
    conditions: tuple[Condition, ...]
    budget: Budget
    num_classes: int
    options: dict[str, float]
    shown: int


Progress = Callable[[str, int, int], None]
"""Called with (what is done, cells done, cells in all)."""


def run_benchmark(
    recipe: Recipe,
    folder: Path,
    *,
    methods: Sequence[str] = (),
    seeds: Sequence[int] = range(5),
    jobs: int = 1,
    trials: int = 0,
    engine: Literal["local", "ray"] = "local",
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda what, done, total: None,
) -> list[dict[str, Any]]:
    """Run what is not done yet, and write ``results.parquet``, ``results.json`` and ``environment.json``.

    Parameters
    ----------
    recipe : Recipe
        Data, conditions, budget, settings of single methods.
    folder : pathlib.Path
        Where everything goes; a folder of the same benchmark is gone on with.
    methods : sequence of str
        See `find_method`; by default the recipe's, or all.
    seeds : sequence of int
        Each has its own split, initial weights, order and damage.
    jobs : int
        Processes, with the engine local. Where there are fewer methods, the seeds of each are shared out among them.
    trials : int
        Settings tried for each method on a part of the training data, by Optuna; 0 = those of the recipe.
    engine : {"local", "ray"}
        Processes of this machine, or of a Ray cluster to which `folder` is the same; see `qmf.scaleout.cluster`. What a
        process that dies leaves undone is done by another.
    say : callable
        Told what goes on.
    progress : callable
        See `Progress`.

    Returns
    -------
    list of dict
        One row per cell, in the order of methods, conditions and seeds.

    Raises
    ------
    ConfigError
        If a method or a setting of one is unknown, `folder` holds another benchmark, or Ray is asked for and not
        installed.
    RunError
        If a method fails.
    """
    names = list(methods or recipe.methods or METHODS)
    for name in {*names, *recipe.options}:
        _check_options(find_method(name), name, recipe.options.get(name, {}))
    if not seeds or jobs < 1:
        raise ConfigError(f"seeds={list(seeds)}, jobs={jobs}: expected at least one of each.")
    _claim(folder, recipe, trials)
    task = prepare_task(recipe, seeds, folder / "data", say)
    _write_environment(folder, recipe, task)
    # Settings are chosen from all seeds of a method; what a cluster has is not known here.
    groups = 1 if trials or engine == "ray" else -(-jobs // len(names))
    units = [
        unit
        for name in names
        for group in shared_out(seeds, groups)
        if (unit := _unit(folder, name, group, task, recipe, seeds[0]))
    ]
    total = len(names) * len(seeds) * len(task.conditions)
    missing = sum(len(unit.seeds) for unit in units) * len(task.conditions)
    progress("found", total - missing, total)
    done = total - missing
    for unit, error in _run_by_ray(units, trials) if engine == "ray" else _run_all(units, jobs, trials):
        if error is not None:
            raise RunError(f"method {unit.method!r} failed: {type(error).__name__}: {error}") from error
        done += len(unit.seeds) * len(task.conditions)
        progress(unit.method, done, total)
    rows = read_rows(folder, names, seeds, task.conditions)
    _write_results(folder, rows)
    return rows


def read_rows(
    folder: Path, methods: Sequence[str], seeds: Sequence[int], conditions: Sequence[Condition]
) -> list[dict[str, Any]]:
    """Give the rows of all cells that are done, in the order of methods, conditions and seeds."""
    rows = []
    for method in methods:
        for condition in conditions:
            for seed in seeds:
                path = _cell(folder, method, condition, seed)
                if path.is_file():
                    rows.append(json.loads(path.read_text(encoding="utf-8")))
    return rows


def sample_file(folder: Path, method: str, condition: str, seed: int) -> Path:
    """Give where the samples of a cell are, kept for the first seed; see `qmf.benchmark.cell.sample_arrays`."""
    return folder / "cells" / _plain(method) / f"{_plain(condition)}-{seed}.safetensors"


def _cell(folder: Path, method: str, condition: Condition, seed: int) -> Path:
    return folder / "cells" / _plain(method) / f"{_plain(condition.name)}-{seed}.json"


def _plain(name: str) -> str:
    """Give a name of a file: letters and digits as they are, all else by its code point."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else f"~{ord(c):x}" for c in name)


def _claim(folder: Path, recipe: Recipe, trials: int) -> None:
    """Write what is run here; refuse a folder in which something else was run."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"recipe": recipe.model_dump(exclude={"methods"}), "trials": trials}
    path = folder / _SETTINGS
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != json.loads(json.dumps(settings)):
            raise ConfigError(
                f"{folder} holds a benchmark with another recipe or number of trials: choose another folder."
            )
    elif any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty and holds no benchmark: choose another folder.")
    else:
        atomic_write_text(path, json.dumps(settings, indent=1))


def _check_options(method: type[Method], name: str, options: dict[str, float]) -> None:
    for key, value in options.items():
        if key in method.ranges and value < method.ranges[key][0]:
            raise ConfigError(f"options.{name}.{key}={value:g}: expected at least {method.ranges[key][0]:g}.")
        if key not in method.ranges:
            known = f"expected {', '.join(method.ranges)}" if method.ranges else "it has none"
            raise ConfigError(f"options.{name}.{key}: no setting of this method's own is called {key!r}; {known}.")


def _unit(folder: Path, name: str, seeds: Sequence[int], task: Task, recipe: Recipe, shown: int) -> Unit | None:
    left = tuple(seed for seed in seeds if any(not _cell(folder, name, c, seed).is_file() for c in task.conditions))
    if not left:
        return None
    # All seeds train together again, so that a run that was killed gives the numbers of one that was not.
    place, budget, options = str(folder.absolute()), recipe.budget.budget(), recipe.options.get(name, {})
    return Unit(place, name, tuple(seeds), task.conditions, budget, len(task.classes), options, shown)


def _run_all(units: list[Unit], jobs: int, trials: int) -> Iterator[tuple[Unit, Exception | None]]:
    if not units:
        return
    with worker_pool(jobs) as pool:
        waiting = {pool.submit(_run, unit, trials): unit for unit in units}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                unit, error = waiting.pop(future), future.exception()
                if isinstance(error, KeyboardInterrupt | SystemExit):
                    raise error
                if error is not None:
                    pool.shutdown(cancel_futures=True)
                yield unit, error if isinstance(error, Exception) else None


def _run_by_ray(units: list[Unit], trials: int) -> Iterator[tuple[Unit, Exception | None]]:
    from qmf.scaleout import cluster, in_order_of_ending

    if units:
        with cluster():
            yield from in_order_of_ending(partial(_run, trials=trials), units, environment=WORKER_ENVIRONMENT)


def _run(unit: Unit, trials: int) -> None:
    """Train one method for all seeds, and write its cells."""
    import torch
    from safetensors.numpy import save_file

    from qmf.benchmark.cell import cell_row, sample_arrays
    from qmf.benchmark.together import train_together
    from qmf.benchmark.tuning import tuned

    torch.set_num_threads(1)
    folder, method = Path(unit.folder), find_method(unit.method)
    data = [load_seed(folder / "data", seed, unit.conditions) for seed in unit.seeds]
    widths = {name: x.shape[1] for name, x in data[0].training.features.items()}
    if trials:
        unit = tuned(unit, method, [d.training for d in data], trials)
    budget, started = unit.budget, time.perf_counter()

    def make() -> Any:
        return method(widths, unit.num_classes, hidden=budget.hidden, dropout=budget.dropout, **unit.options)

    trained = train_together(make, [d.training for d in data], unit.seeds, budget)
    seconds = (time.perf_counter() - started) / len(unit.seeds)
    for s, seed in enumerate(unit.seeds):
        for condition in unit.conditions:
            part = data[s].tests[condition.name]
            output = trained(s, part)
            row = {"title": method.title or unit.method, **cell_row(method, unit.method, condition, seed, output, part)}
            row |= {"seconds": round(seconds, 3), "parameters": trained.parameters}
            row |= {f"setting:{key}": value for key, value in (asdict(budget) | unit.options).items()}
            path = _cell(folder, unit.method, condition, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            if seed == unit.shown and not condition.missing:
                with atomic_path(sample_file(folder, unit.method, condition.name, seed)) as temporary:
                    save_file(sample_arrays(output, part), temporary)
            if not path.exists():
                atomic_write_text(path, json.dumps(row, allow_nan=True))


def _write_environment(folder: Path, recipe: Recipe, task: Task) -> None:
    import platform

    document = {
        "recipe": recipe.name,
        "title": recipe.title,
        "note": recipe.note,
        "published": recipe.published,
        "modalities": task.modalities,
        "classes": task.classes,
        "num_train": task.num_train,
        "num_test": task.num_test,
        "conditions": [asdict(condition) for condition in task.conditions],
        "versions": package_versions(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    atomic_write_text(folder / "environment.json", json.dumps(document, indent=1, ensure_ascii=False))


def _write_results(folder: Path, rows: list[dict[str, Any]]) -> None:
    import polars as pl

    frame = pl.DataFrame(rows, infer_schema_length=None)
    with atomic_path(folder / "results.parquet") as temporary:
        frame.write_parquet(temporary)
    finite = [{key: None if value != value else value for key, value in row.items()} for row in rows]
    atomic_write_text(folder / "results.json", json.dumps(finite, ensure_ascii=False))
