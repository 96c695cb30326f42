"""A comparison as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qmf.report.averages import mean, mean_accuracy, split_by_damage
from qmf.report.contents import Comparison, Condition
from qmf.report.verdict import judge
from qmf.report.wording import number, percent

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["comparison_table"]


def comparison_table(comparison: Comparison) -> Table:
    """Give a comparison in short: accuracy without and with damage, and the weights, with the verdict below.

    Parameters
    ----------
    comparison : Comparison
        What was measured. Needs neither matplotlib nor jinja2.

    Returns
    -------
    rich.table.Table
        One row per method, then one per modality. "Damaged" is the mean over the conditions with damage; both
        weights are means over those conditions too (over all, if nothing was damaged).
    """
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    clean, damaged = split_by_damage(comparison)
    verdict = judge(comparison)
    caption = Text(f"{verdict.answer} {verdict.lead}")
    table = Table(title=Text(comparison.title), title_justify="left", caption=caption, caption_justify="left")
    table.add_column("")
    for heading in ("accuracy\nclean", "accuracy\ndamaged", "mean weight\nclean views", "mean weight\ndamaged views"):
        table.add_column(heading, justify="right")
    for method in comparison.methods:
        accuracies = (percent(mean_accuracy(conditions, method)) for conditions in (clean, damaged))
        table.add_row(f"[bold]{escape(method)}[/bold], all views", *accuracies, "", "")
    table.add_section()
    for name in comparison.modalities:
        table.add_row(escape(name), *_modality(name, clean, damaged))
    return table


def _modality(name: str, clean: list[Condition], damaged: list[Condition]) -> tuple[str, str, str, str]:
    first, second = (percent(mean(c.unimodal_accuracy[name] for c in conditions)) for conditions in (clean, damaged))
    weighed = damaged or clean
    return (
        first,
        second,
        number(mean(c.weight_clean[name] for c in weighed)),
        number(mean(c.weight_corrupted[name] for c in weighed)),
    )
