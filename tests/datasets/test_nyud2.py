"""NYU Depth V2: what a damaged labels.csv says, the held-out part of the other layout, and the real one."""

import os
import pickle
from pathlib import Path

import pytest

from qmf.data.cropped import CroppedFile
from qmf.datasets import load_nyud2
from qmf.errors import ConfigError, DataError

DATA = Path(os.environ.get("QMF_DATA", "nowhere")) / "nyud2"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="QMF_DATA names no folder with nyud2/")
HEADER = "id,split,label,class10,scene27\n"
CLASSES = {
    "bathroom", "bedroom", "bookstore", "classroom", "dining_room", "home_office", "kitchen", "living_room", "office",
    "others",
}  # fmt: skip
ignore_counts = pytest.mark.filterwarnings("ignore:.*not the official split")


def listed(root, text):
    for name in ("rgb/0002.jpg", "depth/0002.png", "rgb/0009.jpg"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    (root / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


@ignore_counts
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "byte order mark"])
def test_listed_frames(tmp_path, start):
    root = listed(tmp_path, start + HEADER + "0002,train,8,office,office\n\n0009,val,6,kitchen,kitchen\n")
    both = load_nyud2(root, "train+validation")
    assert both.labels.tolist() == ["office", "kitchen"]
    assert both.modalities["rgb"].values == [root / "rgb" / "0002.jpg", root / "rgb" / "0009.jpg"]
    assert both.modalities["depth"].values == [root / "depth" / "0002.png", None]
    assert {name: modality.type for name, modality in both.modalities.items()} == {"rgb": "image", "depth": "depth"}
    assert load_nyud2(root, "validation").origin.sample(0) == "line 4 (id '0009')"
    with pytest.raises(DataError, match=r"labels.csv: no row of the split 'test'"):
        load_nyud2(root, "test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"labels.csv: no column 'id'"),
        ("id,split\n", r"labels.csv: no column 'class10'"),
        (HEADER + "0002,train\n", r"line 2: more or fewer cells"),
        (HEADER + "0002,train,8,office,office,1\n", r"line 2: more or fewer cells"),
        (HEADER + "0002,exam,8,office,office\n", r"line 2: split 'exam'; expected train, val, test"),
        (HEADER + "0002,train,8,,office\n", r"line 2: class10 is empty"),
        (HEADER + ",train,8,office,office\n", r"line 2: id is empty"),
        (HEADER + "1,train,8,office,x\n1,val,8,office,x\n", r"line 3: id '1' stands in line 2 too"),
        (HEADER.encode() + b"1,train,8,caf\xe9,x\n", r"labels.csv: not UTF-8"),
    ],
)
def test_a_damaged_list_is_named(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        load_nyud2(listed(tmp_path, text), "train")


@ignore_counts
def test_held_out_pictures_belong_to_the_seed_alone(tmp_path):
    for i in range(20):
        path = tmp_path / "train" / ("kitchen", "office")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    held = [load_nyud2(tmp_path, "validation", seed=seed) for seed in (0, 0, 1)]
    assert held[0].ids.tolist() == held[1].ids.tolist() != held[2].ids.tolist()
    assert held[0].labels.tolist() == ["kitchen"] * 3 + ["office"] * 3
    half = held[0].modalities["depth"].values[0]
    assert isinstance(half, CroppedFile)
    assert pickle.loads(pickle.dumps(half)) == half
    assert not hasattr(half, "__fspath__")


def test_neither_layout(tmp_path):
    with pytest.raises(DataError, match=r"expected one sub-folder per class"):
        load_nyud2(tmp_path, "train")
    with pytest.raises(ConfigError, match=r"split='exam'"):
        load_nyud2(tmp_path, "exam")


@needs_data
@pytest.mark.filterwarnings("error::UserWarning")
def test_the_real_one_is_whole():
    train, held, test = (load_nyud2(DATA, split) for split in ("train", "validation", "test"))
    assert len(train) + len(held) == len(load_nyud2(DATA, "train+validation")) == 795
    assert len(test) == 654
    assert set(train.labels) | set(held.labels) | set(test.labels) == CLASSES
    for samples in (train, held, test):
        for modality in samples.modalities.values():
            assert all(path.is_file() for path in modality.values)
