"""Tables of the report: how the methods stand over the suite, and the areas under their curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qmf.benchmark.statistics import Scores, Standing
from qmf.report.tables import Cell

__all__ = ["Row", "Table", "area_table", "standing_table"]


@dataclass(frozen=True)
class Row:
    """A row of a table: its name, and a cell for each further column."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table as the templates take it.

    Attributes
    ----------
    columns : tuple of str
        Headings; the first is that of the names.
    rows : tuple of Row
        From top to bottom.
    source, differs : str
        Of published numbers: where they stand, and what is not as in our runs.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    source: str = ""
    differs: str = ""


def standing_table(standings: Sequence[Standing], suite: Scores) -> Table:
    """Give mean, interval, worst seed, rank, regret, wins and tests of each method, in percent and points.

    Parameters
    ----------
    standings : sequence of Standing
        Best first.
    suite : Scores
        What they were made from: the titles of the references.

    Returns
    -------
    Table
        A method is not compared with itself: the cell is empty.
    """
    references = tuple(standings[0].p)
    titles = {name: suite.titles[suite.methods.index(name)] for name in references}
    columns = ["method", "mean", "95 % interval", "std", "worst seed", "rank", "regret"]
    if references:
        columns.append(f"wins-ties-losses against {titles[references[0]]}")
    columns += [f"p against {titles[name]}" for name in references]
    rows = []
    for s in standings:
        texts = [f"{100 * s.mean:.1f}", f"{100 * s.low:.1f} to {100 * s.high:.1f}", f"{100 * s.std:.2f}"]
        texts += [f"{100 * s.worst:.1f}", _shown(s.rank, 1), _shown(100 * s.regret, 1)]
        if references:
            texts.append("" if s.method == references[0] else f"{s.wins}-{s.ties}-{s.losses}")
        texts += ["< 0.001" if s.p[name] < 0.001 else _shown(s.p[name], 3) for name in references]
        rows.append(Row(s.title, tuple(map(Cell, texts))))
    return Table(tuple(columns), tuple(rows))


def area_table(standings: Sequence[Standing]) -> Table | None:
    """Give the area under each curve from clean to the strongest damage: the mean accuracy on the way, in percent.

    Parameters
    ----------
    standings : sequence of Standing
        Best first.

    Returns
    -------
    Table or None
        None where no family of conditions has two severities.
    """
    families = tuple(standings[0].area)
    if not families:
        return None
    rows = [Row(s.title, tuple(Cell(f"{100 * s.area[name]:.1f}") for name in families)) for s in standings]
    return Table(("method", *families), tuple(rows))


def _shown(value: float, digits: int) -> str:
    return "" if value != value else f"{value:.{digits}f}"
