"""The tables of the report: percent and points, empty where there is nothing to say."""

import numpy as np

from qmf.benchmark.standing_table import area_table, standing_table
from qmf.benchmark.statistics import Scores, standings

VALUES = np.array(
    [
        [[0.9, 0.9], [0.5, 0.7]],  # paper: clean 90 %, damaged 60 %
        [[0.8, 0.9], [0.5, 0.5]],  # static
    ]
)
SUITE = Scores(("paper", "static"), ("QMF (paper)", "static (matched)"), ("clean", "noise"), (0, 1), VALUES)
FAMILIES = {"noise": [(0.0, "clean"), (2.0, "noise")]}


def test_a_method_beside_the_references():
    table = standing_table(standings(SUITE, FAMILIES), SUITE)
    assert table.columns[-3:] == (
        "wins-ties-losses against QMF (paper)",
        "p against QMF (paper)",
        "p against static (matched)",
    )
    first, second = ([cell.text for cell in row.cells] for row in table.rows)
    assert [row.name for row in table.rows] == ["QMF (paper)", "static (matched)"]
    assert first[0] == "75.0"  # mean of 70 and 80
    assert first[-3:-1] == ["", ""]  # nothing to say against itself
    assert second[0] == "67.5"
    assert second[-3] == "0-2-2"
    assert second[5] == ""  # no oracle, no regret


def test_without_references_there_is_nothing_to_test_against():
    table = standing_table(standings(SUITE, FAMILIES, references=("none",)), SUITE)
    assert table.columns[-1] == "regret"
    assert all(len(row.cells) == len(table.columns) - 1 for row in table.rows)


def test_the_area_is_the_mean_height_of_the_curve():
    table = area_table(standings(SUITE, FAMILIES))
    assert table.columns == ("method", "noise")
    assert [row.cells[0].text for row in table.rows] == ["75.0", "67.5"]


def test_no_curve_no_area():
    assert area_table(standings(SUITE, {})) is None
