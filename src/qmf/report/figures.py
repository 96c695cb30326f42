"""The pictures of the page, each made from a comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qmf.report.averages import mean
from qmf.report.contents import Comparison, Condition
from qmf.report.dot_plot import DotRow, Series, dot_plot, limits
from qmf.report.scatter_plot import scatter_plot
from qmf.report.svg import DYNAMIC, OTHER, STATIC, drawing_style
from qmf.report.wording import number, percent, signed

__all__ = ["Panel", "accuracy_figures", "scatter_panels", "weight_panels"]

_WIDE, _NARROW, _PANEL = 720.0, 344.0, 320.0  # pixels
_MOST_POINTS = 2400  # in all scatter plots together: keeps the page small whatever the number of modalities


@dataclass(frozen=True)
class Panel:
    """One small picture with its heading: an ``<svg>`` element and plain text."""

    heading: str
    svg: str


def accuracy_figures(comparison: Comparison) -> tuple[str, str]:
    """Draw the accuracy of each method in each condition.

    Parameters
    ----------
    comparison : Comparison
        What was measured.

    Returns
    -------
    tuple of str
        The same picture for a wide and for a narrow screen.
    """
    order = (*comparison.methods[1:], comparison.methods[0])  # the first method is drawn last, over the others
    series = [Series(STATIC, "D"), *(Series(OTHER, "s") for _ in order[2:]), Series(DYNAMIC)]
    rows = [_accuracy_row(condition, order) for condition in comparison.conditions]
    told = (
        f"{c.name}: " + ", ".join(f"{method} {percent(c.accuracy[method])}" for method in comparison.methods)
        for c in comparison.conditions
    )
    label = "Accuracy by condition. " + "; ".join(told) + "."
    scale = limits([value for row in rows for value in row.values])
    with drawing_style():
        wide, narrow = (
            dot_plot(
                rows, series, name=f"accuracy-{name}", label=label, width=width, x_limits=scale,
                x_label="test samples classified correctly, %",
            )
            for name, width in (("wide", _WIDE), ("narrow", _NARROW))
        )  # fmt: skip
    return wide, narrow


def weight_panels(comparison: Comparison) -> list[Panel]:
    """Draw, per modality, the mean weight of damaged and of clean views in each condition with damage.

    Parameters
    ----------
    comparison : Comparison
        What was measured.

    Returns
    -------
    list of Panel
        One per modality, all on one scale; none if nothing was damaged.
    """
    damaged = [condition for condition in comparison.conditions if condition.damaged]
    if not damaged:
        return []
    scale = limits([w for c in damaged for side in (c.weight_clean, c.weight_corrupted) for w in side.values()])
    panels = []
    with drawing_style():
        for position, name in enumerate(comparison.modalities):
            rows = [_weight_row(condition, name) for condition in damaged]
            told = (f"{r.name}: damaged {number(r.values[0])}, clean {number(r.values[1])}" for r in rows)
            svg = dot_plot(
                rows, [Series(DYNAMIC, filled=False), Series(DYNAMIC)], name=f"weight-{position}", width=_PANEL,
                label=f"Mean weight of {name}. " + "; ".join(told) + ".", x_limits=scale, x_label="mean weight",
            )  # fmt: skip
            panels.append(Panel(name, svg))
    return panels


def scatter_panels(comparison: Comparison) -> list[Panel]:
    """Draw, per modality, weight against loss.

    Parameters
    ----------
    comparison : Comparison
        What was measured.

    Returns
    -------
    list of Panel
        One per modality with samples, all on one weight scale.
    """
    most = max(20, _MOST_POINTS // max(1, len(comparison.weight_samples)))
    points = {}
    for name, (weight, loss) in comparison.weight_samples.items():
        finite = np.flatnonzero(np.isfinite(weight) & np.isfinite(loss))[:most]
        if len(finite):
            points[name] = (np.asarray(weight, np.float64)[finite], np.maximum(np.asarray(loss, np.float64)[finite], 0))
    if not points:
        return []
    pooled = np.concatenate([weight for weight, _ in points.values()])
    scale = limits(np.quantile(pooled, [0.005, 0.995]).tolist())
    panels = []
    with drawing_style():
        for position, (name, (weight, loss)) in enumerate(points.items()):
            low, high = (number(float(w)) for w in (weight.min(), weight.max()))
            label = f"Weight against loss of {name}: {len(weight)} samples, weights from {low} to {high}."
            svg = scatter_plot(
                weight, loss, name=f"scatter-{position}", label=label, num_classes=len(comparison.classes),
                weight_limits=scale,
            )  # fmt: skip
            panels.append(Panel(name, svg))
    return panels


def _accuracy_row(condition: Condition, order: tuple[str, ...]) -> DotRow:
    values = tuple(100 * condition.accuracy[method] for method in order)
    gap = values[-1] - values[0]
    return DotRow(condition.name, values, note=signed(gap, 1), bad=round(gap, 1) < 0)


def _weight_row(condition: Condition, modality: str) -> DotRow:
    values = condition.weight_corrupted[modality], condition.weight_clean[modality]
    difference = values[0] - values[1]
    both = math.isfinite(mean([difference]))
    return DotRow(condition.name, values, note=signed(difference) if both else "", bad=both and difference > 0)
