"""Hugging Face data sets: pictures in them are read by qmf's own encoders, not decoded on the way."""

import pytest

from qmf.data import ModalityColumns, raw_from_memory

datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")


def test_columns_of_a_data_set(tmp_path):
    table = datasets.Dataset.from_dict({"img": [{"bytes": b"png", "path": None}, None], "caption": ["a hat", ""]})
    table = table.cast_column("img", datasets.Image())
    places = {"photo": ModalityColumns(("img",), type="image"), "caption": ModalityColumns((), type="text")}
    raw = raw_from_memory(table, ["a", "b"], places)
    assert raw.modalities["photo"].values == [b"png", None]
    assert raw.modalities["caption"].values == ["a hat", None]
