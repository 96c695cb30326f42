"""Theorem 2 over the conditions of a benchmark: where weights that depend on the sample are certified."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from qmf.benchmark.summary import Summary
from qmf.report.wording import count, signed
from qmf.theory.bootstrap import CovarianceTest
from qmf.theory.verdict import Status, status_of

__all__ = ["ConditionVerdict", "TheoryPanel", "covariance_verdicts", "theory_panels"]

_DYNAMIC = ("robust", "paper", "simplex")
_ROUNDING = 1e-12


@dataclass(frozen=True)
class ConditionVerdict:
    """What Theorem 2 says of a method in one condition.

    Attributes
    ----------
    condition : str
        Its name.
    tests : dict of str to CovarianceTest
        One per modality that is there: mean over seeds of ``Cov(w^m, l^m)``, and one-sided ends.
    total : CovarianceTest
        Of the sum over modalities.
    status : {"certified", "not certified", "harmful"}
        See `qmf.theory.status_of`.
    """

    condition: str
    tests: dict[str, CovarianceTest]
    total: CovarianceTest
    status: Status


@dataclass(frozen=True)
class _Cell:
    text: str
    small: str
    tint: float
    bad: bool


@dataclass(frozen=True)
class _Row:
    name: str
    cells: tuple[_Cell, ...]
    note: str
    bad: bool


@dataclass(frozen=True)
class TheoryPanel:
    """A method's table on the page: heading, a sentence that sums it up, columns and rows."""

    heading: str
    finding: str
    columns: tuple[str, ...]
    rows: tuple[_Row, ...]


def covariance_verdicts(rows: Sequence[dict[str, Any]], *, delta: float = 0.05) -> list[ConditionVerdict]:
    """Judge one method in each condition, over seeds.

    Parameters
    ----------
    rows : sequence of dict
        Cells of one method from `qmf.benchmark.cell.cell_row`: ``condition``, ``seed``, and ``covariance:NAME``, which
        may be missing, None or NaN.
    delta : float in (0, 0.5)
        Chance to miss of each one-sided interval.

    Returns
    -------
    list of ConditionVerdict
        In the order of the rows, those conditions in which a covariance was measured. With one seed nothing can be
        certified: the ends are infinite.

    Notes
    -----
    Student's t over seeds: each seed is another training run, and where the data set is split by seed another test set.
    `qmf.theory.covariance_tests` is about one model and resamples its samples instead.
    """
    found = []
    for condition in dict.fromkeys(row["condition"] for row in rows):
        values = [_measured(row) for row in rows if row["condition"] == condition]
        names = list(dict.fromkeys(name for seed in values for name in seed))
        if not names:
            continue
        tests = {name: _test([seed[name] for seed in values if name in seed], delta) for name in names}
        total = _test([sum(seed.values()) for seed in values if seed], delta)
        found.append(ConditionVerdict(condition, tests, total, status_of(tests, total)))
    return found


def theory_panels(summary: Summary) -> list[TheoryPanel]:
    """Give a table for each dynamic method of the benchmark; none where no covariances were measured."""
    panels = []
    for method in (name for name in _DYNAMIC if name in summary.suite.methods):
        mine = [row for row in summary.rows if row["method"] == method and not row["missing"]]
        verdicts = covariance_verdicts(mine)
        if verdicts:
            title = summary.suite.titles[summary.suite.methods.index(method)]
            panels.append(_panel(title, verdicts, tuple(summary.environment["modalities"])))
    return panels


def _measured(row: dict[str, Any]) -> dict[str, float]:
    start = "covariance:"
    numbers = {key.removeprefix(start): value for key, value in row.items() if key.startswith(start)}
    return {name: float(value) for name, value in numbers.items() if value is not None and math.isfinite(value)}


def _test(values: list[float], delta: float) -> CovarianceTest:
    x = np.array(values)
    mean, n = float(x.mean()), len(x)
    if np.abs(x).max() <= _ROUNDING:
        return CovarianceTest(0.0, 0.0, 0.0, 1.0, float(n))
    if n < 2:
        return CovarianceTest(mean, -math.inf, math.inf, math.nan, float(n))
    error = float(x.std(ddof=1)) / math.sqrt(n)
    margin = -float(stdtrit(n - 1, delta)) * error
    p = float(stdtr(n - 1, mean / error)) if error > 0 else float(mean >= 0)
    return CovarianceTest(mean, mean - margin, mean + margin, p, float(n))


def _panel(title: str, verdicts: list[ConditionVerdict], modalities: tuple[str, ...]) -> TheoryPanel:
    largest = max(abs(test.covariance) for v in verdicts for test in v.tests.values()) or 1.0

    def cell(test: CovarianceTest | None, scale: float) -> _Cell:
        if test is None:
            return _Cell("–", "", 0.0, False)
        sure = test.upper <= 0 or test.lower > 0
        tint = round(min(1.0, abs(test.covariance) / scale), 3) if sure else 0.0
        end = f"≤\N{NO-BREAK SPACE}{signed(test.upper, 4)}" if math.isfinite(test.upper) else ""
        return _Cell(signed(test.covariance, 4), end, tint, test.lower > 0)

    rows = tuple(
        _Row(
            verdict.condition,
            (
                *(cell(verdict.tests.get(name), largest) for name in modalities),
                cell(verdict.total, largest * len(modalities)),
            ),
            verdict.status,
            verdict.status == "harmful",
        )
        for verdict in verdicts
    )
    return TheoryPanel(title, _finding(verdicts), (*modalities, "sum"), rows)


def _finding(verdicts: list[ConditionVerdict]) -> str:
    number = Counter(verdict.status for verdict in verdicts)
    text = f"Certified in {number['certified']} of {count(len(verdicts), 'condition')}"
    text += f", not certified in {number['not certified']}, harmful in {number['harmful']}."
    if all(math.isinf(test.upper) for verdict in verdicts for test in verdict.tests.values()):
        text += " There is one seed only: nothing can be certified with less than two."
    return text
