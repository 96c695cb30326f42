"""The page: one HTML file that needs nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qmf.files import atomic_write_text
from qmf.report import figures, tables
from qmf.report.contents import Comparison
from qmf.report.dependencies import require_report_packages
from qmf.report.verdict import judge, tiles
from qmf.report.wording import count

__all__ = ["render_comparison", "write_comparison"]


def render_comparison(comparison: Comparison, template: str = "comparison.html", **more: Any) -> str:
    """Give the report of a comparison as one HTML document without scripts, links or outside files.

    Parameters
    ----------
    comparison : Comparison
        What was measured. Every name in it may hold any text: it is escaped.
    template : str
        Another page that extends ``comparison.html``.
    **more
        What that page shows beside it.

    Returns
    -------
    str
        The same for the same comparison; below 1 MB.

    Raises
    ------
    MissingDependencyError
        If matplotlib or jinja2 is not installed.

    Notes
    -----
    About a second: two pictures of accuracy and two per modality.
    """
    require_report_packages()
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("qmf.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = Markup  # only for what `qmf.report.svg` made: its text is escaped there
    return environment.get_template(template).render(_content(comparison) | more)


def write_comparison(comparison: Comparison, path: str | Path) -> None:
    """Write the report of a comparison; the file is whole or not there.

    Parameters
    ----------
    comparison : Comparison
        What was measured.
    path : str or pathlib.Path
        The HTML file; its folder is made if needed.

    Raises
    ------
    MissingDependencyError
        If matplotlib or jinja2 is not installed.
    OSError
        If the file cannot be written.
    """
    atomic_write_text(Path(path), render_comparison(comparison))


def _content(comparison: Comparison) -> dict[str, Any]:
    wide, narrow = figures.accuracy_figures(comparison)
    sizes = (
        count(comparison.num_train, "training sample"),
        count(comparison.num_test, "test sample"),
        f"{len(comparison.classes)} classes",
        count(len(comparison.modalities), "view") + " of each sample",
    )
    return {
        "comparison": comparison,
        "sizes": sizes,
        "verdict": judge(comparison),
        "tiles": tiles(comparison),
        "accuracy_wide": wide,
        "accuracy_narrow": narrow,
        "weight_panels": figures.weight_panels(comparison),
        "weight_finding": tables.weight_finding(comparison),
        "scatter_panels": figures.scatter_panels(comparison),
        "alone_rows": tables.alone_rows(comparison),
        "alone_finding": tables.alone_finding(comparison),
        "correlation_rows": tables.correlation_rows(comparison),
        "distrusted_rows": tables.distrusted_rows(comparison),
        "distrusted_finding": tables.distrusted_finding(comparison),
    }
