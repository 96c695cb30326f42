"""SUN RGB-D: its numbers and its halves."""

import pytest

from qmf.datasets import load_sunrgbd
from qmf.errors import DataError


@pytest.fixture
def pictures(tmp_path):
    for part in ("train", "test"):
        for label in ("bathroom", "bedroom"):
            (tmp_path / part / label).mkdir(parents=True)
            (tmp_path / part / label / "1.png").touch()
    return tmp_path


def test_the_number_of_both_parts_of_training_is_told(pictures):
    with pytest.warns(UserWarning, match=r"train \+ validation +4845 +2  differs"):
        load_sunrgbd(pictures, "train+validation")
    with pytest.warns(UserWarning, match=r"test +4659 +2  differs"):
        load_sunrgbd(pictures, "test")


@pytest.mark.filterwarnings("ignore:.*not the official split")
def test_halves_of_one_file(pictures):
    samples = load_sunrgbd(pictures, "test")
    assert samples.ids.tolist() == ["test/bathroom/1.png", "test/bedroom/1.png"]
    rgb, depth = (samples.modalities[name].values[0] for name in ("rgb", "depth"))
    assert rgb.source == depth.source == pictures / "test" / "bathroom" / "1.png"
    assert (rgb.box, depth.box) == ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0))
    assert {name: modality.type for name, modality in samples.modalities.items()} == {"rgb": "image", "depth": "depth"}


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"test: no PNG in sub-folders"):
        load_sunrgbd(tmp_path, "test")
