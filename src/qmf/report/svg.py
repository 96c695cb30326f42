"""Matplotlib figures as inline SVG that takes its colours and its font from the page around it."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BAD", "DYNAMIC", "INK", "OTHER", "PAPER", "RULE", "SOFT", "STATIC", "drawing_style", "new_axes", "to_svg"]

# Stand-ins that no page colour equals: `to_svg` puts the page's own colour in place of each.
INK, SOFT, RULE, PAPER = "#010203", "#010204", "#010205", "#010206"
DYNAMIC, STATIC, OTHER, BAD = "#010207", "#010208", "#010209", "#01020a"
_PAGE_COLOURS = {
    INK: "currentColor",
    SOFT: "var(--soft)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    DYNAMIC: "var(--dynamic)",
    STATIC: "var(--static)",
    OTHER: "var(--other)",
    BAD: "var(--bad)",
}

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 12,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 72,  # one point is one pixel
    "font.family": "DejaVu Sans",  # measures the text; the page sets the real font
    "font.size": 12,
    "grid.color": RULE,
    "grid.linewidth": 1,
    "svg.fonttype": "none",
    "svg.hashsalt": "qmf",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": RULE,
    "xtick.labelcolor": SOFT,
    "xtick.labelsize": 12,
    "ytick.color": RULE,
    "ytick.labelcolor": SOFT,
    "ytick.labelsize": 12,
}

# What matplotlib writes around and into the drawing, and what a page needs of it.
_UNNEEDED = re.compile(r"<!--.*?-->\s*|<metadata>.*?</metadata>\s*|<style.*?</style>\s*", re.DOTALL)
_FONT = re.compile(r"font: ([\d.]+px)[^;\"]*")
_ID = re.compile(r'((?:\bid|href)="#?|url\(#)')
_OPENING = re.compile(r"<svg\b[^>]*?viewBox=\"([^\"]*)\"[^>]*>")


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw in the report's style, whatever the reader's matplotlibrc says; it is given back after the block."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        # Only the measuring font lacks the glyph; the page is shown in the reader's own.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*missing.*")
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_axes(width: float, height: float, margins: tuple[float, float, float, float]) -> tuple[Figure, Axes]:
    """Give a figure with one pair of axes.

    Parameters
    ----------
    width, height : float
        Of the figure, in pixels.
    margins : tuple of float
        Left, right, top and bottom, in pixels.

    Returns
    -------
    tuple of Figure and Axes
        On no backend, unknown to pyplot.
    """
    from matplotlib.figure import Figure

    left, right, top, bottom = margins
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    axes = figure.add_axes(box, facecolor="none")
    axes.tick_params(length=0)
    return figure, axes


def to_svg(figure: Figure, name: str, label: str) -> str:
    """Give a figure as one ``<svg>`` element, safe to put into HTML.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn in the colours of this module.
    name : str
        Prefix of all its ids; unique on the page; letters, digits and hyphens.
    label : str
        What the picture shows, for those who cannot see it. Not yet escaped.

    Returns
    -------
    str
        The same for the same figure, as wide as its container, without XML header, style or comments.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    file = io.StringIO()
    FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    text = file.getvalue()
    text = _UNNEEDED.sub("", text[text.index("<svg") :]).replace("xlink:href", "href")
    for stand_in, colour in _PAGE_COLOURS.items():
        text = text.replace(stand_in, colour)
    text = _ID.sub(rf"\g<1>{name}-", _FONT.sub(r"font-size: \1", text))
    opening = f'<svg role="img" aria-label="{escape(label)}" viewBox="\\1" width="100%">'
    return _OPENING.sub(lambda found: opening.replace("\\1", found[1]), text, count=1).strip()
