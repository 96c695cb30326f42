"""Loaders of known data sets: small copies of each layout, and the real ones where QMF_DATA is set."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qmf.datasets import DATASETS, dataset_counts, load_food101, load_mvsa, load_nyud2, load_sunrgbd
from qmf.encoders.pictures import DepthReader, ImageReader
from qmf.errors import ConfigError, DataError

DATA = Path(os.environ.get("QMF_DATA", "nowhere"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="QMF_DATA names no folder with the real data sets")


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), "red").save(path)


def write_jsonl(root, name, rows):
    (root / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")


@pytest.fixture
def tweets(tmp_path):
    picture(tmp_path / "data" / "1.jpg")
    rows = [
        {"id": "1", "label": "positive", "text": "nice", "img": "data/1.jpg"},
        {"id": "2", "label": "negative", "text": " ", "img": "data/2.jpg"},
    ]
    for name in ("train", "dev", "test"):
        write_jsonl(tmp_path, name, rows)
    return tmp_path


def side_by_side(root):
    for part, number in (("train", 10), ("test", 4)):
        for label in ("kitchen", "office"):
            (root / part / label).mkdir(parents=True)
            for i in range(number):
                both = np.zeros((8, 16, 3), dtype=np.uint8)
                both[:, :8, 0], both[:, 8:, 2] = 200, 90
                Image.fromarray(both).save(root / part / label / f"{i}.png")
    return root


def test_tweets_with_an_empty_text_and_a_missing_photo(tweets):
    with pytest.warns(UserWarning, match="not the official split") as warned:
        samples = load_mvsa(tweets, "validation")
    assert "validation" in str(warned[0].message)
    assert "518" in str(warned[0].message)
    assert samples.ids.tolist() == ["1", "2"]
    assert samples.labels.tolist() == ["positive", "negative"]
    assert [modality.present.tolist() for modality in samples.modalities.values()] == [[True, False], [True, False]]


def test_a_broken_line_and_a_wrong_split_are_named(tweets):
    (tweets / "train.jsonl").write_text('{"id": "1"\n')
    with pytest.raises(DataError, match=r"train.jsonl, line 1"):
        load_mvsa(tweets, "train")
    with pytest.raises(ConfigError, match="split='exam': expected one of train, validation, test"):
        load_mvsa(tweets, "exam")
    with pytest.raises(DataError, match=r"no train.jsonl"):
        load_mvsa(tweets / "data", "train")


@pytest.mark.parametrize("load", [load_nyud2, load_sunrgbd])
@pytest.mark.filterwarnings("ignore:.*not the official split")
def test_side_by_side_pictures_are_split_in_two(load, tmp_path):
    root = side_by_side(tmp_path)
    train, held = load(root, "train"), load(root, "validation")
    assert len(train) == 14
    assert len(held) == 6
    assert not set(train.ids) & set(held.ids)
    assert len(load(root, "train+validation")) == 20
    test = load(root, "test")
    assert test.labels.tolist() == ["kitchen"] * 4 + ["office"] * 4
    assert ImageReader(4)(test.modalities["rgb"].values[0])[0, 0].tolist() == [200, 0, 0]
    assert DepthReader(4)(test.modalities["depth"].values[0])[0, 0].tolist() == [0, 0, 90]


@pytest.mark.filterwarnings("ignore:.*not the official split")
def test_food_as_prepared_and_as_downloaded(tweets, tmp_path_factory):
    assert len(load_food101(tweets, "test")) == 2
    root = tmp_path_factory.mktemp("food")
    picture(root / "images" / "train" / "pho" / "pho_1.jpg")
    (root / "texts").mkdir()
    (root / "texts" / "train_titles.csv").write_text("pho_1.jpg,Best pho, ever,pho\npho_2.jpg,,pho\n")
    samples = load_food101(root, "train")
    assert samples.modalities["text"].values == ["Best pho, ever", None]
    assert samples.modalities["image"].present.tolist() == [True, False]
    with pytest.raises(DataError, match=r"neither train.jsonl nor texts/test_titles.csv"):
        load_food101(root, "test")


def test_counts_are_a_table(tweets):
    table = dataset_counts("mvsa", str(tweets))
    assert table.differs
    assert str(table).splitlines()[1].split() == ["train", "1555", "2", "differs"]
    with pytest.raises(ConfigError, match="no data set 'mnist'"):
        dataset_counts("mnist", str(tweets))


@needs_data
@pytest.mark.parametrize(("name", "folder"), [("mvsa", "mvsa_single"), ("nyud2", "nyud2")])
def test_the_real_ones_are_the_official_splits(name, folder):
    assert not dataset_counts(name, str(DATA / folder)).differs
    for split in ("train", "validation", "test"):
        samples = DATASETS[name](str(DATA / folder), split)
        assert all(modality.present.all() for modality in samples.modalities.values())
        assert len(set(samples.ids)) == len(samples)
