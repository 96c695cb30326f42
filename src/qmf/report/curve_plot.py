"""Curves of several methods over one scale, and reliability diagrams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.report.svg import DYNAMIC, INK, OTHER, SOFT, STATIC, new_axes, to_svg

__all__ = ["Curve", "curve_plot", "reliability_plot"]


@dataclass(frozen=True)
class Curve:
    """A method's values along the scale, and how it looks: "dynamic", "static", "oracle" or "other"."""

    name: str
    values: tuple[float, ...]
    look: str = "other"


_LOOKS: dict[str, dict[str, Any]] = {
    "dynamic": {"color": DYNAMIC, "linewidth": 2.4, "marker": "o", "zorder": 4},
    "static": {"color": STATIC, "linewidth": 2.4, "marker": "D", "zorder": 3},
    "oracle": {"color": INK, "linewidth": 1.6, "linestyle": (0, (4, 3)), "marker": "", "zorder": 2},
    "other": {"color": OTHER, "linewidth": 0.8, "marker": "", "alpha": 0.55, "zorder": 1.5},
}


def curve_plot(places: Sequence[str], curves: Sequence[Curve], *, name: str, label: str, y_label: str) -> str:
    """Draw curves over places that stand side by side.

    Parameters
    ----------
    places : sequence of str
        Along the scale: "clean", "1", "3", "10".
    curves : sequence of Curve
        One value per place.
    name, label : str
        As in `qmf.report.svg.to_svg`.
    y_label : str
        What the values are, with their unit.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    figure, axes = new_axes(320, 230, (44.0, 12.0, 10.0, 34.0))
    for curve in curves:
        axes.plot(range(len(places)), curve.values, markersize=6, **_LOOKS[curve.look])
    axes.set_xticks(range(len(places)), list(places))
    axes.locator_params(axis="y", nbins=5)
    axes.grid(visible=True, axis="y")
    axes.set_ylabel(y_label, loc="top", labelpad=6)
    return to_svg(figure, name, label)


def reliability_plot(confidence: NDArray[Any], correct: NDArray[Any], *, name: str, label: str, bins: int = 10) -> str:
    """Draw how often a method is right against how sure it says it is; the diagonal is honest.

    Parameters
    ----------
    confidence : ndarray [n]
        Largest probability.
    correct : ndarray [n], bool
        Whether that class was the true one.
    name, label : str
        As in `qmf.report.svg.to_svg`.
    bins : int
        Groups of equal width.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    which = np.clip((confidence * bins).astype(int), 0, bins - 1)
    size = np.bincount(which, minlength=bins)
    there = size > 0
    right = np.bincount(which, weights=correct, minlength=bins)[there] / size[there]
    said = np.bincount(which, weights=confidence, minlength=bins)[there] / size[there]
    figure, axes = new_axes(320, 230, (44.0, 12.0, 10.0, 44.0))
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1.5)
    axes.plot(said, right, color=DYNAMIC, linewidth=1.5, zorder=2)
    areas = 20 + 160 * size[there] / size.sum()
    axes.scatter(said, right, s=areas, color=DYNAMIC, zorder=3, clip_on=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.grid(visible=True)
    axes.set_xlabel("how sure it says it is", loc="right", labelpad=6)
    axes.set_ylabel("share right", loc="top", labelpad=6)
    return to_svg(figure, name, label)
