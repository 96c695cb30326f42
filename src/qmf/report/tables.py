"""The tables of the page as rows of text, and the sentence that sums up each section."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from qmf.report.averages import mean
from qmf.report.contents import Comparison, Distrusted
from qmf.report.verdict import violations
from qmf.report.wording import count, listing, number, percent, signed

__all__ = [
    "Cell",
    "Row",
    "alone_finding",
    "alone_rows",
    "correlation_rows",
    "distrusted_finding",
    "distrusted_rows",
    "weight_finding",
]


@dataclass(frozen=True)
class Cell:
    """Text, how strongly it is tinted in [0, 1], and whether it is a bad sign."""

    text: str
    tint: float = 0.0
    bad: bool = False


@dataclass(frozen=True)
class Row:
    """A row: its name, its explanation, its cells, and a last word on it."""

    name: str
    description: str
    cells: tuple[Cell, ...]
    note: str = ""
    bad: bool = False


def alone_rows(comparison: Comparison) -> list[Row]:
    """Give accuracy of each modality alone per condition, tinted from a blind guess (0) to always right (1)."""
    guess = 1 / max(2, len(comparison.classes))

    def cell(value: float) -> Cell:
        tint = min(1.0, max(0.0, (value - guess) / (1 - guess))) if math.isfinite(value) else 0.0
        return Cell(number(100 * value, 1), round(tint, 3))

    return [
        Row(c.name, c.description, tuple(cell(c.unimodal_accuracy[name]) for name in comparison.modalities))
        for c in comparison.conditions
    ]


def alone_finding(comparison: Comparison) -> str:
    """Say which modality is best and which is worst alone; nothing where that cannot be said."""
    means = _per_modality(comparison, [c.unimodal_accuracy for c in comparison.conditions])
    if len(means) < 2:
        return ""
    best, worst = max(means, key=lambda name: means[name]), min(means, key=lambda name: means[name])
    return (
        f"On average over the conditions, {best} is the most accurate alone ({percent(means[best])})"
        f" and {worst} the least ({percent(means[worst])})."
    )


def weight_finding(comparison: Comparison) -> str:
    """Say in how many cases damaged views got less weight than clean ones."""
    pairs = [
        (c.weight_corrupted[name], c.weight_clean[name])
        for c in comparison.conditions
        for name in comparison.modalities
    ]
    pairs = [(damaged, clean) for damaged, clean in pairs if math.isfinite(damaged - clean)]
    if not pairs:
        return "Nothing was damaged, so there is nothing to compare."
    lower = sum(damaged < clean for damaged, clean in pairs)
    cases = "the one case" if len(pairs) == 1 else f"{len(pairs)} cases (a view in a condition)"
    return f"Damaged views got less weight than clean ones in {lower} of {cases}."


def correlation_rows(comparison: Comparison) -> list[Row]:
    """Give r(weight, loss) per condition and modality; above 0 is a bad sign."""
    rows = []
    for condition in comparison.conditions:
        values = [condition.weight_loss_correlation[name] for name in comparison.modalities]
        cells = tuple(Cell(signed(r), round(abs(r), 3) if math.isfinite(r) else 0.0, r > 0) for r in values)
        broken = violations(condition)
        note = f"fails: {listing(broken)}" if broken else "holds"
        if not any(math.isfinite(r) for r in values):
            note = "not measured"
        elif len(broken) > 1 and len(broken) == len(values):
            note = "fails: every view"
        rows.append(Row(condition.name, condition.description, cells, note, bool(broken)))
    return rows


def distrusted_rows(comparison: Comparison) -> list[Row]:
    """Give the distrusted views: class, prediction, modality, weight, weight of the others, and the truth of it."""
    return [
        Row(
            name=sample.id,
            description="",
            cells=(
                Cell(sample.modality),
                Cell(number(sample.weight)),
                Cell(number(sample.other_weights)),
                Cell(sample.label),
                Cell(f"{sample.prediction}{'' if sample.prediction == sample.label else ' (wrong)'}"),
            ),
            note=_truth(sample),
            bad=sample.corrupted is False,
        )
        for sample in comparison.distrusted
    ]


def distrusted_finding(comparison: Comparison) -> str:
    """Say how many of the distrusted views had really been damaged."""
    known = [sample for sample in comparison.distrusted if sample.corrupted is not None]
    if not known:
        return ""
    damaged = sum(sample.corrupted is True for sample in known)
    return f"Of the {count(len(known), 'view')} listed, {damaged} had really been damaged."


def _truth(sample: Distrusted) -> str:
    if sample.corrupted is None:
        return "not known"
    return "yes" if sample.corrupted else "no, it was clean"


def _per_modality(comparison: Comparison, measured: list[dict[str, float]]) -> Mapping[str, float]:
    means = {name: mean(values[name] for values in measured) for name in comparison.modalities}
    return {name: value for name, value in means.items() if math.isfinite(value)}
