"""UPMC Food-101: the two layouts and what damaged titles say."""

import json

import pytest

from qmf.datasets import load_food101
from qmf.errors import DataError

ignore_counts = pytest.mark.filterwarnings("ignore:.*not the official split")


def downloaded(root, titles, *pictures):
    (root / "texts").mkdir()
    (root / "texts" / "train_titles.csv").write_text(titles)
    for name in pictures:
        path = root / "images" / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_prepared_splits_are_read_and_their_number_is_told(tmp_path):
    row = {"id": "pho_1", "label": "pho", "text": "Best pho", "img": "images/train/pho/pho_1.jpg"}
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    for split, official in (("train", "60101"), ("dev", "5000"), ("test", "21695")):
        with pytest.warns(UserWarning, match=official):
            samples = load_food101(tmp_path, split)
        assert samples.labels.tolist() == ["pho"]
        assert samples.modalities["image"].values == [None]


@ignore_counts
def test_a_message_about_a_downloaded_sample_names_its_line(tmp_path):
    titles = 'a.jpg,"Soup, two\nlines",pho\n\nb.jpg,Cake,cake\n'
    samples = load_food101(downloaded(tmp_path, titles, "pho/a.jpg"), "train")
    assert [samples.origin.sample(i) for i in range(2)] == ["line 1 (id 'pho/a.jpg')", "line 4 (id 'cake/b.jpg')"]
    assert samples.modalities["text"].values == ["Soup, two\nlines", "Cake"]
    assert samples.modalities["image"].values == [tmp_path / "images" / "train" / "pho" / "a.jpg", None]


@ignore_counts
def test_held_out_titles_are_disjoint_and_belong_to_the_seed(tmp_path):
    root = downloaded(tmp_path, "".join(f"{i}.jpg,Title,{('pho', 'cake')[i % 2]}\n" for i in range(80)))
    train, held = load_food101(root, "train"), load_food101(root, "validation")
    assert sorted(held.labels.tolist()) == ["cake"] * 3 + ["pho"] * 3
    assert len(set(train.ids) | set(held.ids)) == 80
    assert held.ids.tolist() == load_food101(root, "dev").ids.tolist()
    assert held.ids.tolist() != load_food101(root, "validation", seed=1).ids.tolist()


@pytest.mark.parametrize(
    ("titles", "message"),
    [
        ("", r"train_titles.csv: no row"),
        ("a.jpg,Soup,pho\nb.jpg,cake\n", r"line 2: 2 cells; expected file, title, class"),
        ("a.jpg,Soup,pho\n,Cake,cake\n", r"line 2: no file"),
        ("a.jpg,Soup,\n", r"line 1: no class"),
        ('a.jpg,"' + "soup " * 30_000, r"line 1: not valid CSV"),
    ],
    ids=["empty", "two cells", "no file", "no class", "endless quote"],
)
def test_damaged_titles_are_named(tmp_path, titles, message):
    with pytest.raises(DataError, match=message):
        load_food101(downloaded(tmp_path, titles), "train")
