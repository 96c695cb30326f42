"""Standings against numbers worked by hand."""

import numpy as np
import pytest

from qmf.benchmark.statistics import holm, published_numbers, scores_of, standings
from qmf.benchmark.summary import families_of, latex_table, markdown_table


def rows():
    found = []
    table = {
        "paper": {"clean": [0.9, 0.8], "noise 1": [0.7, 0.6], "noise 2": [0.5, 0.4]},
        "static": {"clean": [0.9, 0.9], "noise 1": [0.6, 0.6], "noise 2": [0.3, 0.2]},
        "mask-oracle": {"clean": [0.9, 0.9], "noise 1": [0.9, 0.9], "noise 2": [0.9, 0.9]},
    }
    for method, conditions in table.items():
        for severity, (condition, values) in enumerate(conditions.items()):
            for seed, value in enumerate(values):
                entry = {"method": method, "title": method.upper(), "condition": condition, "seed": seed}
                family = "clean" if condition == "clean" else "noise"
                found.append(entry | {"in_suite": True, "accuracy": value, "family": family, "severity": severity})
    return found


def test_standings_by_hand():
    scores = scores_of(rows())
    assert scores.values.shape == (3, 3, 2)
    found = {s.method: s for s in standings(scores, families_of(rows()))}
    paper, static, oracle = found["paper"], found["static"], found["mask-oracle"]
    assert paper.mean == pytest.approx(0.65)
    assert paper.worst == pytest.approx(0.6)
    assert paper.std == pytest.approx(np.std([0.7, 0.6], ddof=1))
    assert paper.regret == pytest.approx(0.25)
    assert oracle.regret == pytest.approx(0)
    assert (static.wins, static.ties, static.losses) == (1, 2, 3)
    assert (paper.rank, static.rank) == (pytest.approx(8 / 6), pytest.approx(10 / 6))
    assert np.isnan(oracle.rank)
    # clean 0.85, then 0.65, then 0.45 at severities 0, 1, 2
    assert paper.area["noise"] == pytest.approx(0.65)
    assert [s.method for s in standings(scores, {})] == ["mask-oracle", "paper", "static"]
    assert np.isnan(paper.p["paper"])
    assert 0 < static.p["paper"] <= 1
    assert paper.low <= paper.mean <= paper.high


def test_holm_keeps_order_and_leaves_out_what_is_not_tested():
    corrected = holm(np.array([0.04, np.nan, 0.01, 0.03]))
    np.testing.assert_allclose(corrected, [0.06, np.nan, 0.03, 0.06])


def test_published_numbers_have_a_source():
    published = published_numbers("handwritten")
    assert published.rows["QMF"] == (98.72, 97.52)
    assert "FUML" in published.source
    assert published_numbers("nothing") is None


def test_tables_in_markdown_and_latex():
    assert markdown_table(["a", "b"], [["x", "1"]]) == "| a | b |\n|---|---|\n| x | 1 |\n"
    assert r"salt \& pepper 15 \%" in latex_table(["a"], [["salt & pepper 15 %"]])
