"""``qmf benchmark``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from qmf.cli.engine import Engine
from qmf.cli.output import say
from qmf.errors import ConfigError

__all__ = ["benchmark", "parse_seeds"]


def benchmark(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe (handwritten, scene15, landuse21,"
        " fsdd_mnist, gas_drift, mvsa, nyud2, food101, sunrgbd) or a YAML file.")],
    methods: Annotated[str, typer.Option("--methods", metavar="A,B,...", help="Default: all. Your own as"
        " package.module:Class.")] = "",
    seeds: Annotated[str, typer.Option("--seeds", metavar="0-4", help="A range, or a list: 0,3,7.")] = "0-4",
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes; by default one per core.")] = None,
    trials: Annotated[int, typer.Option("--trials", min=0, help="Settings tried for each method on a part of the"
        " training data (extra [tune]); 0 = the recipe's.")] = 0,
    engine: Annotated[Engine, typer.Option("--engine", help="ray: methods as tasks of a Ray cluster (extra [ray]).")
        ] = Engine.LOCAL,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Default: qmf-benchmark-RECIPE."
        " A run that was stopped is gone on with.")] = None,
) -> None:  # fmt: skip
    """Compare methods on one data set, clean and damaged: same encoders, same budget, same damage."""
    import time

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from qmf.benchmark.recipe import load_recipe
    from qmf.benchmark.report import write_report
    from qmf.benchmark.runner import run_benchmark
    from qmf.benchmark.summary import load_summary, print_summary
    from qmf.report import require_report_packages

    require_report_packages()  # before minutes of work, not after
    chosen = load_recipe(recipe)
    folder = output or Path(f"qmf-benchmark-{chosen.name}")
    started = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task("cells", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total, description=f"cells, last: {what}")

        run_benchmark(
            chosen,
            folder,
            methods=[name for name in methods.split(",") if name],
            seeds=parse_seeds(seeds),
            jobs=jobs or os.cpu_count() or 1,
            trials=trials,
            engine=engine.value,
            say=lambda text: bars.console.print(text, highlight=False),
            progress=progress,
        )
    print_summary(load_summary(folder))
    page = write_report(folder)
    say(f"{time.perf_counter() - started:.0f} s; results, settings and tables in {folder}; report: {page}")


def parse_seeds(text: str) -> list[int]:
    """Read ``0-4``, ``0,3,7`` or ``0-2,9``.

    Raises
    ------
    ConfigError
        If it is none of these.

    Examples
    --------
    >>> parse_seeds("0-2,9")
    [0, 1, 2, 9]
    """
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            seeds += range(int(first), int(last) + 1) if dash else [int(first)]
    except ValueError as error:
        raise ConfigError(f"--seeds {text}: expected a range such as 0-4, or a list such as 0,3,7.") from error
    if not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(f"--seeds {text}: expected at least one seed, each once.")
    return seeds
