"""What a benchmark folder says: loaded, summed up, as a table for the terminal, Markdown and LaTeX."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qmf.benchmark.statistics import Published, Scores, Standing, published_numbers, scores_of, standings
from qmf.errors import DataError

__all__ = ["Summary", "accuracy_rows", "latex_table", "load_summary", "markdown_table", "print_summary", "settings_of"]


@dataclass(frozen=True)
class Summary:
    """A benchmark that was run.

    Attributes
    ----------
    folder : pathlib.Path
        Where it lies.
    environment : dict
        Data set, conditions, versions, machine, date.
    rows : list of dict
        One per cell.
    suite, everything : Scores
        Accuracy over the suite, and over all conditions with patterns of missing modalities.
    standings : list of Standing
        Over the suite, best first.
    published : Published or None
        What papers report.
    """

    folder: Path
    environment: dict[str, Any]
    rows: list[dict[str, Any]]
    suite: Scores
    everything: Scores
    standings: list[Standing]
    published: Published | None


def load_summary(folder: Path) -> Summary:
    """Read a folder of `run_benchmark`.

    Raises
    ------
    DataError
        If it is none, or the run was not finished.
    """
    try:
        rows = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} holds no finished benchmark ({Path(error.filename).name} is missing): run `qmf benchmark` first;"
            " it goes on where it was stopped."
        ) from error
    suite, everything = scores_of(rows), scores_of(rows, suite=False)
    published = published_numbers(environment["published"])
    return Summary(folder, environment, rows, suite, everything, standings(suite, families_of(rows)), published)


def families_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[tuple[float, str]]]:
    """Give the curves: families of at least two severities in the suite, from clean on."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["in_suite"] and row["condition"] != "clean":
            found.setdefault(row["family"], {})[row["condition"]] = row["severity"]
    return {
        family: [(0.0, "clean"), *sorted((severity, name) for name, severity in points.items())]
        for family, points in found.items()
        if len(points) > 1
    }


def settings_of(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Give the settings that all methods share, under "settings", and under a method's title those of its own."""
    by_method = {
        row["title"]: {
            key.removeprefix("setting:"): f"{value:g}"
            for key, value in row.items()
            if key.startswith("setting:") and value is not None
        }
        for row in rows
    }
    shared = set.intersection(*(set(chosen.items()) for chosen in by_method.values()))
    found = {"settings": _listed(item for item in next(iter(by_method.values())).items() if item in shared)}
    for title, chosen in by_method.items():
        if own := _listed(item for item in chosen.items() if item not in shared):
            found[title] = own
    return found


def _listed(settings: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings)


def accuracy_rows(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Give columns and rows of the main table: accuracy in percent, mean over seeds, best mean first."""
    scores = summary.suite
    columns = ["method", *scores.conditions, "mean ± std", "worst", "rank", "regret", "p (paper)", "p (static)"]
    rows = []
    for s in summary.standings:
        values = [f"{100 * x:.1f}" for x in scores.of(s.method).mean(axis=1)]
        tests = [_p(s.p.get(reference, float("nan"))) for reference in ("paper", "static")]
        overall = f"{100 * s.mean:.1f} ± {100 * s.std:.1f}"
        rows.append([s.title, *values, overall, f"{100 * s.worst:.1f}", _number(s.rank), _points(s.regret), *tests])
    return columns, rows


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Give a table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def latex_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Give a table in LaTeX, for the package booktabs."""
    body = [" & ".join(map(_escaped, row)) + r" \\" for row in rows]
    head = " & ".join(map(_escaped, columns)) + r" \\"
    frame = [rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", r"\toprule", head, r"\midrule"]
    return "\n".join([*frame, *body, r"\bottomrule", r"\end{tabular}"]) + "\n"


def print_summary(summary: Summary) -> None:
    """Print the standings, and what papers report."""
    from rich.console import Console
    from rich.table import Table

    env = summary.environment
    table = Table(
        title=f"{env['recipe']}: accuracy in %, {len(summary.suite.seeds)} seeds",
        caption="suite: mean over all conditions, ± over seeds; regret: below the mask oracle; p: against static",
    )
    for place, name in enumerate(["method", "clean", "suite", "±", "worst", "rank", "regret", "p"]):
        table.add_column(name, justify="right" if place else "left", no_wrap=True, min_width=5 if place else 8)
    for s in summary.standings:
        clean = summary.suite.of(s.method)[summary.suite.conditions.index("clean")].mean()
        numbers = [f"{100 * x:.1f}" for x in (clean, s.mean, s.std, s.worst)]
        p = _p(s.p.get("static", float("nan")))
        table.add_row(s.title, *numbers, _number(s.rank), _points(s.regret), p)
    Console().print(table)


def _p(value: float) -> str:
    return "" if value != value else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _number(value: float) -> str:
    return "" if value != value else f"{value:.1f}"


def _points(value: float) -> str:
    return "" if value != value else f"{100 * value:.1f}"


def _escaped(text: str) -> str:
    for plain, escaped in (("%", r"\%"), ("±", r"$\pm$"), ("σ", r"$\sigma$"), ("×", r"$\times$"), ("<", "$<$")):
        text = text.replace(plain, escaped)
    return text.replace("_", r"\_").replace("&", r"\&")
