"""Tables of paths, texts, numbers and categories become raw samples; what is empty is absent, by one path."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from qmf.data import DataSchema, ModalityColumns, Unreadable, raw_from_memory, read_image_folder, read_raw
from qmf.errors import ConfigError, DataError

PLACES = {
    "photo": ModalityColumns(("img",), type="image"),
    "title": ModalityColumns(("title",), type="text"),
    "size": ModalityColumns(("w", "h"), type="numeric"),
    "shop": ModalityColumns(("shop",), type="categorical"),
}
SCHEMA = DataSchema(PLACES, "label", "id")
ROWS = [
    {"id": "a", "label": "x", "img": "p/1.jpg", "title": "a hat", "w": 1.0, "h": 2.0, "shop": "north"},
    {"id": "b", "label": "y", "img": "p/missing.jpg", "title": "  ", "w": 3.0, "h": None, "shop": None},
    {"id": "c", "label": "x", "img": None, "title": None, "w": None, "h": None, "shop": "south"},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "1.jpg").write_bytes(b"not opened here")
    return tmp_path


def write(folder, suffix):
    path = folder / f"t{suffix}"
    frame = pl.DataFrame(ROWS, infer_schema_length=None)
    if suffix == ".csv":
        frame.write_csv(path)
    elif suffix == ".parquet":
        frame.write_parquet(path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in ROWS))
    return path


def check(raw, folder):
    assert raw.modalities["photo"].values == [folder / "p" / "1.jpg", None, None]
    assert raw.modalities["title"].values == ["a hat", None, None]
    np.testing.assert_array_equal(raw.modalities["size"].values, [[1, 2], [3, np.nan], [np.nan, np.nan]])
    assert raw.modalities["shop"].values.tolist() == [["north"], [None], ["south"]]
    present = np.stack([modality.present for modality in raw.modalities.values()], axis=1)
    assert present.tolist() == [[True] * 4, [False, False, True, False], [False, False, False, True]]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_table_format_gives_the_same_raw_samples(folder, suffix):
    raw = read_raw(write(folder, suffix), SCHEMA, require_label=True)
    check(raw, folder)
    assert raw.ids.tolist() == ["a", "b", "c"]
    assert raw.labels.tolist() == ["x", "y", "x"]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda rows: pa.Table.from_pylist(rows)])
def test_frames_in_memory_are_read_the_same_way(folder, make):
    raw = raw_from_memory(make(ROWS), [row["label"] for row in ROWS], PLACES, folder=folder)
    check(raw, folder)


def test_mappings_of_lists(folder):
    X = {
        "photo": ["p/1.jpg", "p/missing.jpg", None],
        "title": ["a hat", "", None],
        "size": [[1.0, 2.0], [3.0, np.nan], None],
        "shop": ["north", None, "south"],
    }
    check(raw_from_memory(X, None, PLACES, folder=folder), folder)


def test_some_of_the_samples_keep_their_ids_and_places(folder):
    raw = read_raw(write(folder, ".csv"), SCHEMA, require_label=True).take([2, 0])
    assert raw.ids.tolist() == ["c", "a"]
    assert raw.origin.sample(0) == "line 4 (id 'c')"
    assert raw.without("photo").modalities.keys() == {"title", "size", "shop"}


def test_text_that_is_not_utf8_is_marked_in_its_row_alone(folder):
    path = folder / "t.csv"
    path.write_bytes("id,label,title\na,x,fine\nb,y,caf\u00e9\n".encode("latin-1"))
    schema = DataSchema({"title": ModalityColumns(("title",), type="text")}, "label", "id")
    values = read_raw(path, schema, require_label=True).modalities["title"].values
    assert values[0] == "fine"
    assert isinstance(values[1], Unreadable)
    assert "UTF-8" in values[1].reason


def test_a_dangling_link_and_a_folder_are_there_and_not_absent(folder):
    (folder / "link.jpg").symlink_to(folder / "nowhere.jpg")
    X = {"photo": ["link.jpg", "p", "none.jpg"]}
    raw = raw_from_memory(X, None, {"photo": ModalityColumns((), type="image")}, folder=folder)
    assert raw.modalities["photo"].present.tolist() == [True, True, False]


def test_folders_of_pictures_are_classes(folder):
    (folder / "q").mkdir()
    (folder / "q" / "2.png").write_bytes(b"")
    raw = read_image_folder(folder)
    assert raw.ids.tolist() == ["p/1.jpg", "q/2.png"]
    assert raw.labels.tolist() == ["p", "q"]


def test_wrong_types_and_columns_are_named(folder):
    path = write(folder, ".csv")
    with pytest.raises(DataError, match=r"no column 'im' for modality 'photo'; did you mean 'img'\?"):
        read_raw(path, DataSchema({"photo": ModalityColumns(("im",), type="image")}, "label", "id"), require_label=True)
    places = {"photo": ModalityColumns(("img", "title"), type="image")}
    with pytest.raises(ConfigError, match="'photo' of type image names 2 columns"):
        read_raw(path, DataSchema(places, "label", "id"), require_label=True)
    with pytest.raises(ConfigError, match="type 'picture'; expected one of image, depth"):
        read_raw(path, DataSchema({"p": ModalityColumns(("img",), type="picture")}, "label", None), require_label=True)
