"""From cells to conclusions: means with intervals, paired tests, ranks, curves, regret to the oracle."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, ttest_rel

from qmf.randomness import keyed_generator

__all__ = ["ORACLE", "Published", "Scores", "Standing", "holm", "published_numbers", "scores_of", "standings"]

ORACLE = "mask-oracle"
_RESAMPLES = 2000
_TIE = 1e-9


@dataclass(frozen=True)
class Scores:
    """One metric of every method, condition and seed.

    Attributes
    ----------
    methods, titles : tuple of str
        Names, and what tables call them.
    conditions : tuple of str
        Names.
    seeds : tuple of int
        Seeds.
    values : ndarray [methods, conditions, seeds]
        NaN where a cell is not done.
    """

    methods: tuple[str, ...]
    titles: tuple[str, ...]
    conditions: tuple[str, ...]
    seeds: tuple[int, ...]
    values: NDArray[np.float64]

    def of(self, method: str) -> NDArray[np.float64]:
        """Give [conditions, seeds] of one method."""
        result: NDArray[np.float64] = self.values[self.methods.index(method)]
        return result


@dataclass(frozen=True)
class Standing:
    """How a method stands over the suite.

    Attributes
    ----------
    method, title : str
        Its name, and what tables call it.
    mean, std, worst : float
        Over seeds, of the mean over conditions; `worst` is the worst seed's.
    low, high : float
        95 % bootstrap interval of `mean`, over seeds.
    rank : float
        Mean rank over conditions and seeds, 1 = best; the oracle is not ranked.
    regret : float
        Mean over conditions and seeds of the oracle's value less this one; NaN without an oracle.
    wins, ties, losses : int
        Conditions and seeds in which it is above, at, below the reference.
    p : dict of str to float
        By reference method: p-value of a paired t-test over seeds of the mean over conditions, Holm-corrected over all
        methods; NaN for itself, for the oracle, and for fewer than two seeds.
    area : dict of str to float
        By family of conditions: area under its curve from clean to the highest severity, in units of the metric.
    """

    method: str
    title: str
    mean: float
    std: float
    worst: float
    low: float
    high: float
    rank: float
    regret: float
    wins: int
    ties: int
    losses: int
    p: dict[str, float]
    area: dict[str, float]


def scores_of(rows: Sequence[dict[str, Any]], metric: str = "accuracy", *, suite: bool = True) -> Scores:
    """Arrange rows of cells.

    Parameters
    ----------
    rows : sequence of dict
        From `qmf.benchmark.cell.cell_row`.
    metric : str
        A column of theirs.
    suite : bool
        Only the conditions that means are taken over.

    Returns
    -------
    Scores
        In the order of the rows.
    """
    chosen = [row for row in rows if row["in_suite"] or not suite]
    titles = {row["method"]: row["title"] for row in chosen}
    conditions = tuple(dict.fromkeys(row["condition"] for row in chosen))
    seeds = tuple(dict.fromkeys(row["seed"] for row in chosen))
    methods = tuple(titles)
    values = np.full((len(methods), len(conditions), len(seeds)), np.nan)
    place = {name: tuple(map(int, np.unravel_index(i, values.shape))) for i, name in enumerate(
        (m, c, s) for m in methods for c in conditions for s in seeds
    )}  # fmt: skip
    for row in chosen:
        value = row[metric]
        values[place[row["method"], row["condition"], row["seed"]]] = np.nan if value is None else value
    return Scores(methods, tuple(titles.values()), conditions, seeds, values)


def standings(
    scores: Scores, families: dict[str, list[tuple[float, str]]], references: Sequence[str] = ("paper", "static")
) -> list[Standing]:
    """Compare all methods.

    Parameters
    ----------
    scores : Scores
        Of a metric that is better when higher.
    families : dict of str to list of (severity, condition)
        Curves, see `Standing.area`.
    references : sequence of str
        Methods that the others are tested against; wins and losses are against the first of them that is there.

    Returns
    -------
    list of Standing
        Best mean first.
    """
    over_conditions = scores.values.mean(axis=1)
    there = [name for name in references if name in scores.methods]
    tests = {name: _tests(scores, over_conditions, name) for name in there}
    ranks = _ranks(scores)
    oracle = scores.of(ORACLE) if ORACLE in scores.methods else None
    result = []
    for m, (name, title) in enumerate(zip(scores.methods, scores.titles, strict=True)):
        mine, seeds = scores.values[m], over_conditions[m]
        low, high = _interval(seeds)
        gap = mine - scores.of(there[0]) if there else np.full_like(mine, np.nan)
        result.append(
            Standing(
                method=name,
                title=title,
                mean=float(seeds.mean()),
                std=float(seeds.std(ddof=1)) if len(seeds) > 1 else 0.0,
                worst=float(seeds.min()),
                low=low,
                high=high,
                rank=ranks.get(name, float("nan")),
                regret=float("nan") if oracle is None else float((oracle - mine).mean()),
                wins=int((gap > _TIE).sum()),
                ties=int((np.abs(gap) <= _TIE).sum()),
                losses=int((gap < -_TIE).sum()),
                p={reference: tests[reference][m] for reference in there},
                area={family: _area(scores, mine, points) for family, points in families.items()},
            )
        )
    return sorted(result, key=lambda s: -s.mean)


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct p-values for their number; NaN stays NaN and does not count.

    References
    ----------
    Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics, 1979.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    corrected = np.full_like(p, np.nan)
    order = [i for i in np.argsort(p) if not np.isnan(p[i])]
    highest = 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, float(p[i]) * (len(order) - place)))
        corrected[i] = highest
    return corrected


@dataclass(frozen=True)
class Published:
    """Numbers of papers, in percent.

    Attributes
    ----------
    source, differs : str
        Where they stand, and what is not as in our runs.
    columns : tuple of str
        Conditions.
    rows : dict of str to tuple of float
        Method to accuracy in each.
    """

    source: str
    differs: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float, ...]]


def published_numbers(key: str) -> Published | None:
    """Give the published numbers of a data set; None where there are none."""
    stored = json.loads((files("qmf.benchmark") / "published.json").read_text(encoding="utf-8")).get(key)
    if stored is None:
        return None
    rows = {name: tuple(values) for name, values in stored["rows"].items()}
    return Published(stored["source"], stored["differs"], tuple(stored["columns"]), rows)


def _tests(scores: Scores, over_conditions: NDArray[np.float64], reference: str) -> list[float]:
    base = over_conditions[scores.methods.index(reference)]
    raw = np.full(len(scores.methods), np.nan)
    for m, name in enumerate(scores.methods):
        difference = over_conditions[m] - base
        if name in (reference, ORACLE) or len(base) < 2:
            continue
        if np.ptp(difference) <= _TIE:
            raw[m] = 1.0 if abs(difference[0]) <= _TIE else 0.0
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            raw[m] = ttest_rel(over_conditions[m], base).pvalue
    return [float(p) for p in holm(raw)]


def _ranks(scores: Scores) -> dict[str, float]:
    ranked = [m for m, name in enumerate(scores.methods) if name != ORACLE]
    ranks = rankdata(-scores.values[ranked], axis=0).mean(axis=(1, 2))
    return {scores.methods[m]: float(rank) for m, rank in zip(ranked, ranks, strict=True)}


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    chosen = keyed_generator(0, "bootstrap").integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.percentile(values[chosen].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _area(scores: Scores, mine: NDArray[np.float64], points: list[tuple[float, str]]) -> float:
    severities = np.array([severity for severity, _ in points])
    heights = np.array([mine[scores.conditions.index(condition)].mean() for _, condition in points])
    return float(np.trapezoid(heights, severities) / (severities[-1] - severities[0]))
