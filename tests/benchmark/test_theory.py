"""Theorem 2 over the conditions and seeds of a benchmark."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from qmf.benchmark.theory import covariance_verdicts, theory_panels


def cells(condition, *seeds):
    return [
        {"condition": condition, "seed": seed, "covariance:a": a, "covariance:b": b}
        for seed, (a, b) in enumerate(seeds)
    ]


def test_each_condition_by_hand():
    rows = [
        *cells("falls", (-0.1, -0.2), (-0.1, -0.3), (-0.1, -0.25)),
        *cells("rises", (0.1, -0.01), (0.2, -0.01), (0.15, -0.01)),
        *cells("unsure", (-0.1, 0.02), (-0.1, -0.02), (-0.1, 0.01)),
        *cells("constant", (0.0, 1e-18), (0.0, 0.0), (0.0, 0.0)),
    ]
    found = {v.condition: v for v in covariance_verdicts(rows)}
    assert [v.status for v in found.values()] == ["certified", "harmful", "not certified", "certified"]
    b = found["falls"].tests["b"]
    assert b.covariance == pytest.approx(-0.25)
    # Three values, standard deviation 0.05, Student's quantile 2.92 with 2 degrees of freedom.
    assert b.upper == pytest.approx(-0.25 + 2.92 * 0.05 / math.sqrt(3), abs=1e-4)
    assert found["falls"].total.covariance == pytest.approx(-0.35)
    assert found["falls"].tests["a"].upper == pytest.approx(-0.1)


def test_ends_and_p_are_those_of_a_t_test():
    values = np.random.default_rng(0).normal(-0.01, 0.02, 8)
    (found,) = covariance_verdicts(cells("x", *((v, -1.0) for v in values)))
    test = stats.ttest_1samp(values, 0, alternative="less")
    assert found.tests["a"].p == pytest.approx(test.pvalue)
    assert found.tests["a"].upper == pytest.approx(test.confidence_interval(0.95).high)
    assert found.tests["a"].lower == pytest.approx(
        stats.ttest_1samp(values, 0, alternative="greater").confidence_interval(0.95).low
    )


def test_what_was_not_measured_is_left_out():
    rows = [*cells("x", (-0.1, None), (-0.1, math.nan)), {"condition": "y", "seed": 0}]
    (found,) = covariance_verdicts(rows)
    assert list(found.tests) == ["a"]
    assert found.status == "certified"


def test_one_seed_certifies_nothing():
    (found,) = covariance_verdicts(cells("x", (-0.1, -0.1)))
    assert found.status == "not certified"
    assert found.tests["a"].upper == math.inf


def summary(rows):
    return SimpleNamespace(
        rows=[{"method": "paper", "missing": ""} | row for row in rows],
        suite=SimpleNamespace(methods=("static", "paper"), titles=("static (matched)", "QMF (paper)")),
        environment={"modalities": ["a", "b"]},
    )


def test_the_page_gets_a_table_for_each_dynamic_method():
    rows = [*cells("clean", (-0.1, -0.2), (-0.1, -0.3)), *cells("noise", (0.1, 0.2), (0.1, 0.2))]
    (panel,) = theory_panels(summary([*rows, {"condition": "only a", "missing": "b", "seed": 0, "covariance:a": 0.0}]))
    assert (panel.heading, panel.columns) == ("QMF (paper)", ("a", "b", "sum"))
    assert panel.finding == "Certified in 0 of 2 conditions, not certified in 1, harmful in 1."
    clean, noise = panel.rows
    assert [cell.text for cell in noise.cells] == ["+0.1000", "+0.2000", "+0.3000"]
    assert (noise.note, noise.bad, clean.note) == ("harmful", True, "not certified")
    assert clean.cells[1].small.endswith("+0.0657")  # -0.25 + 6.314 * 0.05: two seeds say little
    assert clean.cells[1].tint == 0.0  # so no colour
    assert theory_panels(summary([{"condition": "clean", "seed": 0}])) == []
