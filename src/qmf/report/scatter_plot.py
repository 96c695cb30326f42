"""Weight against loss of one modality: each dot a sample, and the mean weight along the loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.report.svg import DYNAMIC, INK, RULE, SOFT, new_axes, to_svg

__all__ = ["binned_mean", "scatter_plot"]

_LINEAR = 0.1  # the loss scale is linear up to here, then logarithmic
_TICKS = ((0.0, "0"), (0.1, "0.1"), (1.0, "1"), (10.0, "10"), (100.0, "100"))


def scatter_plot(
    weight: NDArray[Any],
    loss: NDArray[Any],
    *,
    name: str,
    label: str,
    num_classes: int,
    weight_limits: tuple[float, float],
) -> str:
    """Draw the weights of a modality over its losses.

    Parameters
    ----------
    weight, loss : ndarray [n]
        Finite; loss at least 0. Weights beyond `weight_limits` are drawn at its edge.
    name, label : str
        As in `qmf.report.svg.to_svg`.
    num_classes : int
        K: a dashed line marks ``ln K``, the loss of a blind guess.
    weight_limits : tuple of float
        Ends of the weight scale.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    figure, axes = new_axes(320, 230, (44.0, 10.0, 10.0, 44.0))
    axes.set_xscale("symlog", linthresh=_LINEAR, linscale=0.5)
    highest = max(10.0, float(loss.max()) if len(loss) else 0.0)
    axes.set_xlim(-0.03, highest * 1.3)
    axes.set_ylim(*weight_limits)
    ticks = [(at, text) for at, text in _TICKS if at <= highest * 1.3]
    axes.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
    axes.minorticks_off()
    axes.locator_params(axis="y", nbins=4)
    axes.grid(visible=True)
    axes.set_xlabel("loss", loc="right", labelpad=6)
    axes.set_ylabel("weight", loc="top", labelpad=6)
    if num_classes > 1:
        axes.axvline(math.log(num_classes), color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1.5)
    shown = np.clip(weight, *weight_limits)
    axes.plot(loss, shown, "o", color=DYNAMIC, markersize=4.5, markeredgewidth=0, alpha=0.4, clip_on=False, zorder=2)
    middle, height = binned_mean(loss, weight)
    inside = np.clip(height, *weight_limits)
    axes.plot(middle, inside, color=RULE, linewidth=5, zorder=3)
    axes.plot(middle, inside, color=INK, linewidth=2, zorder=4)
    return to_svg(figure, name, label)


def binned_mean(x: NDArray[Any], y: NDArray[Any], bins: int = 6) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the median of `x` and the mean of `y` in groups of equally many samples, ordered by `x`.

    Parameters
    ----------
    x, y : ndarray [n]
        Finite.
    bins : int, default 6
        Number of groups; fewer if a group would have less than 5 samples.

    Returns
    -------
    tuple of ndarray [g]
        Both empty below 10 samples.

    Examples
    --------
    >>> middle, height = binned_mean(np.arange(10.0), np.arange(10.0) * 2)
    >>> middle.tolist(), height.tolist()
    ([2.0, 7.0], [4.0, 14.0])
    """
    groups = min(bins, len(x) // 5)
    if groups < 2:
        return np.empty(0), np.empty(0)
    parts = np.array_split(np.argsort(x, kind="stable"), groups)
    return np.array([np.median(x[part]) for part in parts]), np.array([y[part].mean() for part in parts])
