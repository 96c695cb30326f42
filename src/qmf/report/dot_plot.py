"""Rows of dots on one scale, joined by a line: how two numbers differ, row after row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qmf.report.svg import BAD, INK, PAPER, RULE, SOFT, new_axes, to_svg
from qmf.report.wording import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DotRow", "Series", "dot_plot", "limits"]


@dataclass(frozen=True)
class Series:
    """How the dots of one kind look: a colour of `qmf.report.svg`, a matplotlib marker, filled or hollow."""

    colour: str
    marker: str = "o"
    filled: bool = True


@dataclass(frozen=True)
class DotRow:
    """One row: its name, one value per series (NaN: no dot), a note at the right, and whether it is a bad sign."""

    name: str
    values: tuple[float, ...]
    note: str = ""
    bad: bool = False


def limits(values: Sequence[float], margin: float = 0.06) -> tuple[float, float]:
    """Give an axis range that holds all finite values with some room; (0, 1) if there are none.

    Examples
    --------
    >>> limits([0.0, 1.0, float("nan")], margin=0.1)
    (-0.1, 1.1)
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    room = margin * (max(finite) - min(finite)) or 0.5
    return min(finite) - room, max(finite) + room


def dot_plot(
    rows: Sequence[DotRow],
    series: Sequence[Series],
    *,
    name: str,
    label: str,
    width: float,
    x_label: str,
    x_limits: tuple[float, float],
) -> str:
    """Draw rows of dots; names stand left of the rows, or above them where the drawing is narrow.

    Parameters
    ----------
    rows : sequence of DotRow
        From top to bottom.
    series : sequence of Series
        Of the values of each row; later ones are drawn over earlier ones.
    name, label : str
        As in `qmf.report.svg.to_svg`.
    width : float
        In pixels; below 500 it is narrow.
    x_label : str
        What the scale measures, with its unit.
    x_limits : tuple of float
        Its ends.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    narrow = width < 500
    row_height = 40 if narrow else 32
    noted = 56 if any(row.note for row in rows) else 12
    margins = (6.0 if narrow else 180.0, float(noted), 6.0, 44.0)
    figure, axes = new_axes(width, row_height * len(rows) + margins[2] + margins[3], margins)
    axes.set_xlim(*x_limits)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=True, axis="x")
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=4 if narrow else 6)
    axes.set_xlabel(x_label, loc="left", labelpad=8)
    for position, row in enumerate(rows):
        _draw_row(axes, position + (0.18 if narrow else 0.0), row, series)
    if narrow:
        axes.set_yticks([])
        for position, row in enumerate(rows):
            place = axes.get_yaxis_transform()
            axes.text(0, position - 0.22, shorten(row.name, 34), transform=place, va="center", fontsize=12)
    else:
        axes.set_yticks(range(len(rows)), [shorten(row.name, 24) for row in rows], color=INK)
    return to_svg(figure, name, label)


def _draw_row(axes: Axes, y: float, row: DotRow, series: Sequence[Series]) -> None:
    finite = [value for value in row.values if math.isfinite(value)]
    axes.axhline(y, color=RULE, linewidth=1, linestyle=(0, (1, 3)), zorder=1)
    if len(finite) > 1:
        axes.plot(
            [min(finite), max(finite)], [y, y], color=BAD if row.bad else SOFT, linewidth=2.5, zorder=2,
            solid_capstyle="butt",
        )  # fmt: skip
    for value, look in zip(row.values, series, strict=True):
        if math.isfinite(value):
            axes.plot(
                [value], [y], look.marker, markersize=9 if look.marker == "o" else 8, markeredgewidth=2,
                markeredgecolor=look.colour, markerfacecolor=look.colour if look.filled else PAPER, zorder=3,
                clip_on=False,
            )  # fmt: skip
    if row.note:
        axes.text(
            1.015, y, row.note, transform=axes.get_yaxis_transform(), va="center", fontsize=12,
            color=BAD if row.bad else SOFT, fontweight="bold" if row.bad else "normal",
        )  # fmt: skip
