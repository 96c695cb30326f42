"""``qmf demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qmf.cli.model_data import JsonOption
from qmf.cli.output import print_json, say

__all__ = ["demo"]


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for report.html.")] = Path("qmf-demo"),
    seed: Annotated[int, typer.Option(help="Seed of the split, the training and the damage.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Train QMF and static fusion on 2000 real digits, damage the test views, print a table, write a report."""
    from dataclasses import asdict

    from rich.console import Console

    from qmf.demo import run_demo
    from qmf.report import comparison_table

    comparison = run_demo(output, seed=seed, say=say, verbose=not as_json)
    Console(stderr=True).print(comparison_table(comparison))
    say(f"the report, one file to open in a browser: {output / 'report.html'}")
    if as_json:
        conditions = [asdict(condition) for condition in comparison.conditions]
        print_json({"report": str(output / "report.html"), "conditions": conditions, "settings": comparison.settings})
