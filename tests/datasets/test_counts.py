"""Numbers of samples beside the official ones: a table, never a failure."""

import os
from pathlib import Path

import pytest

from qmf.datasets import DATASETS, check_counts, dataset_counts
from qmf.datasets.counts import EXPECTED
from qmf.errors import ConfigError

DATA = Path(os.environ.get("QMF_DATA", "nowhere"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="QMF_DATA names no folder with the real data sets")


def test_every_data_set_has_official_numbers():
    assert set(EXPECTED) == set(DATASETS)
    assert sum(EXPECTED["food101"].values()) == 86_796


@pytest.mark.parametrize("found", [{"train": 500, "validation": 295}, {"train+validation": 795}])
def test_training_and_validation_count_together(found):
    table = check_counts("nyud2", found)
    assert table.rows == (("train + validation", 795, 795),)
    assert not table.differs


def test_a_part_that_has_no_official_number_is_no_row():
    table = check_counts("nyud2", {"train": 1})
    assert table.rows == ()
    assert not table.differs


def test_lines_are_aligned_and_a_difference_is_said():
    table = check_counts("food101", {"train": 61_127, "test": 21_695})
    lines = str(table).splitlines()
    assert table.differs
    assert [line.endswith("differs") for line in lines] == [False, True, False]
    assert lines[1].index("61127") + 5 == len(lines[2]) == len(lines[0])


def test_an_unknown_name():
    with pytest.raises(ConfigError, match=r"'mnist'; known: mvsa, nyud2"):
        check_counts("mnist", {"train": 1})


@needs_data
@pytest.mark.parametrize(("name", "folder"), [("mvsa", "mvsa_single"), ("nyud2", "nyud2")])
def test_the_real_ones_have_the_official_numbers(name, folder):
    table = dataset_counts(name, DATA / folder)
    assert not table.differs
    assert len(table.rows) == len(EXPECTED[name])
