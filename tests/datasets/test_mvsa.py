"""MVSA-Single: what damaged files say, and that the real one is whole."""

import json
import os
from pathlib import Path

import pytest

from qmf.datasets import load_mvsa
from qmf.errors import DataError

DATA = Path(os.environ.get("QMF_DATA", "nowhere")) / "mvsa_single"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="QMF_DATA names no folder with mvsa_single/")
ROW = {"id": "7", "label": "neutral", "text": "a quiet street", "img": "data/7.jpg"}


def write(root, *rows, name="train"):
    (root / f"{name}.jsonl").write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    )


@pytest.mark.filterwarnings("ignore:.*not the official split")
def test_the_photo_is_found_beside_the_jsonl_wherever_one_stands(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "7.jpg").touch()
    write(tmp_path, ROW, ROW | {"id": "8", "img": ""}, name="dev")
    for split in ("validation", "dev", "val"):
        samples = load_mvsa(str(tmp_path), split)
        assert samples.modalities["image"].values == [tmp_path / "data" / "7.jpg", None]
        assert samples.modalities["image"].type == "image"
        assert samples.modalities["text"].values == ["a quiet street"] * 2


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ('{"id": "8", "label": ', r"train.jsonl, line 2: not valid JSON"),
        (ROW | {"id": "8", "label": "positve"}, r"line 2 \(id '8'\): label 'positve'; expected one of positive, neu"),
        (ROW, r"must be unique"),
    ],
    ids=["cut off", "misspelt label", "same id"],
)
def test_a_damaged_line_is_named(tmp_path, second, message):
    write(tmp_path, ROW, second)
    with pytest.raises(DataError, match=message):
        load_mvsa(tmp_path, "train")


@needs_data
@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(("split", "number"), [("train", 1555), ("validation", 518), ("test", 519)])
def test_the_real_split_is_whole(split, number):
    samples = load_mvsa(DATA, split)
    assert len(samples) == number
    assert set(samples.labels) == {"positive", "neutral", "negative"}
    assert all(path.is_file() for path in samples.modalities["image"].values)
