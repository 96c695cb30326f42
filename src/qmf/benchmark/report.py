"""The report of a benchmark: ``report.html``, and the tables in Markdown and LaTeX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.benchmark.doubted import doubted_rows
from qmf.benchmark.runner import sample_file
from qmf.benchmark.standing_table import Row, Table, area_table, standing_table
from qmf.benchmark.statistics import ORACLE
from qmf.benchmark.summary import (
    Summary,
    accuracy_rows,
    families_of,
    latex_table,
    load_summary,
    markdown_table,
    settings_of,
)
from qmf.benchmark.theory import theory_panels
from qmf.files import atomic_write_text
from qmf.report import Comparison, Condition, render_comparison
from qmf.report.curve_plot import Curve, curve_plot, reliability_plot
from qmf.report.figures import Panel
from qmf.report.svg import drawing_style
from qmf.report.tables import Cell

__all__ = ["write_report"]

_DYNAMIC = ("robust", "paper", "simplex")
_STATIC = ("static", "late-fusion", "probability-average")
_POINTS = 400


def write_report(folder: Path) -> Path:
    """Write ``report.html``, ``table.md`` and ``table.tex`` from a folder of `run_benchmark`.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.

    Returns
    -------
    pathlib.Path
        Of the page.

    Raises
    ------
    DataError
        If the benchmark is not finished.
    MissingDependencyError
        If the extra ``[report]`` is not installed.
    """
    summary = load_summary(folder)
    columns, rows = accuracy_rows(summary)
    atomic_write_text(folder / "table.md", markdown_table(columns, rows))
    atomic_write_text(folder / "table.tex", latex_table(columns, rows))
    page = folder / "report.html"
    atomic_write_text(page, _render(summary))
    return page


def _render(summary: Summary) -> str:
    dynamic, static = _compared(summary)
    with drawing_style():
        curves, reliability = _curves(summary, dynamic, static), _reliability(summary, dynamic, static)
    return render_comparison(
        _comparison(summary, dynamic, static),
        "benchmark.html",
        standing=standing_table(summary.standings, summary.suite),
        standing_finding=_finding(summary),
        fixed_weights=static in _STATIC,
        curves=curves,
        areas=area_table(summary.standings),
        reliability=reliability,
        everything=_accuracy_table(summary, summary.suite.conditions, with_rcml=True),
        patterns=_accuracy_table(summary, _patterns(summary)),
        published=_published(summary),
        theory=theory_panels(summary),
        doubted=doubted_rows(summary.folder, dynamic, summary.environment),
        num_seeds=len(summary.suite.seeds),
    )


def _compared(summary: Summary) -> tuple[str, str]:
    """Give a dynamic method and a static one; where there is none, the best of the others that are there."""
    names = [s.method for s in summary.standings if s.method != ORACLE] or [ORACLE]
    dynamic = next((name for name in _DYNAMIC if name in names), names[0])
    others = [name for name in names if name != dynamic] or [dynamic]
    return dynamic, next((name for name in _STATIC if name in others), others[0])


def _title(summary: Summary, method: str) -> str:
    return summary.suite.titles[summary.suite.methods.index(method)]


def _comparison(summary: Summary, dynamic: str, static: str) -> Comparison:
    """Put the dynamic method beside the static one, in the form the comparison's page takes."""
    env = summary.environment
    names = tuple(env["modalities"])
    rows = [row for row in summary.rows if row["in_suite"]]
    conditions = []
    for condition in summary.suite.conditions:
        mine = [row for row in rows if row["condition"] == condition and row["method"] == dynamic]

        def mean(key: str, mine: list[dict[str, Any]] = mine) -> dict[str, float]:
            return {name: _nanmean([row[f"{key}:{name}"] for row in mine]) for name in names}

        place = summary.suite.conditions.index(condition)
        conditions.append(
            Condition(
                name=condition,
                description=_described(env, condition),
                accuracy={_title(summary, m): float(summary.suite.of(m)[place].mean()) for m in (dynamic, static)},
                unimodal_accuracy=mean("accuracy"),
                weight_clean=mean("weight_intact"),
                weight_corrupted=mean("weight_damaged"),
                weight_loss_correlation=mean("correlation"),
            )
        )
    return Comparison(
        title="Is dynamic fusion worth it here?",
        dataset=env["title"],
        num_train=env["num_train"],
        num_test=env["num_test"],
        classes=tuple(env["classes"]),
        methods=(_title(summary, dynamic), _title(summary, static)),
        modalities=names,
        conditions=tuple(conditions),
        weight_samples=_weight_samples(summary, dynamic, names),
        distrusted=(),
        settings=_settings(summary),
        evidence=_evidence(summary, dynamic, static),
    )


def _evidence(summary: Summary, dynamic: str, static: str) -> str:
    p = next(s.p.get(static, float("nan")) for s in summary.standings if s.method == dynamic)
    said = "< 0.001" if p < 0.001 else f"= {p:.3f}"
    tested = "" if p != p else f"; paired t-test over seeds, corrected for all methods: p {said}"
    return f"Mean of {len(summary.suite.seeds)} training runs, each with its own seed{tested}."


def _described(env: dict[str, Any], name: str) -> str:
    found = next(entry for entry in env["conditions"] if entry["name"] == name)
    if found["damages"]:
        return "; ".join(f"{modality}: {text}" for modality, text in found["damages"].items())
    settings = ", ".join(f"{key} {value:g}" for key, value in found["parameters"].items())
    return " ".join(filter(None, (found["corruption"].replace("_", " "), settings))) or "nothing is changed"


def _settings(summary: Summary) -> dict[str, str]:
    env, seeds = summary.environment, summary.suite.seeds
    return {
        "seeds": ", ".join(map(str, seeds)),
        **settings_of(summary.rows),
        "machine": env["machine"],
        "versions": ", ".join(f"{name} {version}" for name, version in env["versions"].items()),
        "date": env["date"],
        "rebuild": "qmf report DIR",
    } | ({"note": env["note"]} if env["note"] else {})


def _samples(summary: Summary, method: str, condition: str) -> dict[str, NDArray[Any]] | None:
    from safetensors.numpy import load_file

    path = sample_file(summary.folder, method, condition, summary.suite.seeds[0])
    return load_file(path) if path.is_file() else None


def _weight_samples(
    summary: Summary, method: str, names: tuple[str, ...]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    found = [s for c in summary.suite.conditions if (s := _samples(summary, method, c)) is not None]
    if not found:
        return {}
    weights, loss = (np.concatenate([s[key] for s in found]).astype(np.float64) for key in ("weights", "loss"))
    chosen = np.random.default_rng(0).permutation(len(weights))[:_POINTS]
    return {name: (weights[chosen, m], loss[chosen, m]) for m, name in enumerate(names)}


def _finding(summary: Summary) -> str:
    ranked = [s for s in summary.standings if s.method != ORACLE]
    best = ranked[0]
    text = f"Best over the suite: {best.title}, {100 * best.mean:.1f} % (95 % interval {100 * best.low:.1f} to"
    text += f" {100 * best.high:.1f})"
    if best.regret == best.regret:
        side = "below" if best.regret >= 0 else "above"
        text += f", {100 * abs(best.regret):.1f} points {side} the mask oracle"
    clean = summary.suite.values[:, summary.suite.conditions.index("clean")].mean(axis=1)
    order = [m for m in np.argsort(-clean) if summary.suite.methods[m] != ORACLE]
    return f"{text}. Best on clean data: {summary.suite.titles[order[0]]}, {100 * clean[order[0]]:.1f} %."


def _curves(summary: Summary, dynamic: str, static: str) -> list[Panel]:
    panels = []
    looks = {ORACLE: "oracle", static: "static", dynamic: "dynamic"}
    for number, (family, points) in enumerate(families_of(summary.rows).items()):
        places = [summary.suite.conditions.index(name) for _, name in points]
        curves = []
        for name, title in zip(summary.suite.methods, summary.suite.titles, strict=True):
            values = tuple(float(v) for v in 100 * summary.suite.of(name)[places].mean(axis=1))
            curves.append(Curve(title, values, looks.get(name, "other")))
        told = "; ".join(f"{c.name} " + ", ".join(f"{v:.1f}" for v in c.values) for c in curves)
        ticks = ["clean" if severity == 0 else f"{severity:g}" for severity, _ in points]
        label = f"Accuracy in % over {family}. {told}."
        panels.append(Panel(family, curve_plot(ticks, curves, name=f"curve-{number}", label=label, y_label="%")))
    return panels


def _reliability(summary: Summary, dynamic: str, static: str) -> list[Panel]:
    panels: list[Panel] = []
    for number, method in enumerate(dict.fromkeys((dynamic, static))):
        for condition in (summary.suite.conditions[0], summary.suite.conditions[-1]):
            samples = _samples(summary, method, condition)
            if samples is None:
                continue
            correct = samples["predicted"] == samples["target"]
            heading = f"{_title(summary, method)}, {condition}"
            label = f"Reliability of {heading}: {100 * correct.mean():.1f} % right, mean confidence"
            label += f" {100 * samples['confidence'].mean():.1f} %."
            name = f"reliability-{number}-{len(panels)}"
            panels.append(Panel(heading, reliability_plot(samples["confidence"], correct, name=name, label=label)))
    return panels


def _accuracy_table(summary: Summary, conditions: tuple[str, ...], *, with_rcml: bool = False) -> Table:
    scores = summary.everything
    extra = tuple(c for c in scores.conditions if "RCML" in c) if with_rcml else ()
    chosen = (*conditions, *extra)
    guess = 1 / max(2, len(summary.environment["classes"]))
    rows = []
    for s in summary.standings:
        values = scores.of(s.method)[[scores.conditions.index(c) for c in chosen]].mean(axis=1)
        tints = [round(float(min(1.0, max(0.0, (v - guess) / (1 - guess)))), 3) for v in values]
        rows.append(Row(s.title, tuple(Cell(f"{100 * v:.1f}", t) for v, t in zip(values, tints, strict=True))))
    return Table(("method", *chosen), tuple(rows))


def _patterns(summary: Summary) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row["condition"] for row in summary.rows if row["missing"]))


def _published(summary: Summary) -> Table | None:
    published = summary.published
    if published is None:
        return None
    rows = [
        Row(f"{name} (published)", tuple(Cell(f"{v:.1f}") for v in values)) for name, values in published.rows.items()
    ]
    return Table(("method", *published.columns), tuple(rows), published.source, published.differs)


def _nanmean(values: list[float | None]) -> float:
    finite = [v for v in values if v is not None and v == v]
    return float(np.mean(finite)) if finite else float("nan")
