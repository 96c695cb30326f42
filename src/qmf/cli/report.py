"""``qmf report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qmf.cli.output import say

__all__ = ["report"]


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of `qmf benchmark`.")],
) -> None:
    """Write report.html, table.md and table.tex of a benchmark anew."""
    from qmf.benchmark.report import write_report

    say(f"report: {write_report(folder)}")
