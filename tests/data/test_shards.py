"""Parquet shards and WebDataset tars: every sample once, in order, called the same wherever it is read from."""

import io
import json
import tarfile

import numpy as np
import polars as pl
import pytest

from qmf.data import DataSchema, ModalityColumns, read_parts, shards_of
from qmf.errors import DataError

VECTORS = DataSchema({"a": ModalityColumns(("a*",))}, None, None)
TYPED = DataSchema(
    {
        "photo": ModalityColumns(("jpg",), type="image"),
        "words": ModalityColumns(("txt",), type="text"),
        "probe": ModalityColumns(("probe",)),
    },
    "cls",
    None,
)


def write_tar(path, files):
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def ids_of(source, schema, rows=2):
    parts = list(read_parts(source, schema, rows))
    assert all(len(part) <= rows for part in parts)
    return [name for part in parts for name in part.ids.tolist()]


@pytest.fixture
def parquet_shards(tmp_path):
    for shard, n in enumerate((3, 2)):
        pl.DataFrame({"a1": np.arange(n) + 10.0 * shard, "a2": np.ones(n)}).write_parquet(
            tmp_path / f"p{shard}.parquet"
        )
    return tmp_path


@pytest.fixture
def tars(tmp_path):
    probe = json.dumps({"probe": [1.0, 2.0], "other": 1}).encode()
    first = {"x/1.jpg": b"J1", "x/1.txt": "größer".encode(), "x/1.cls": b"3", "x/1.json": probe, "x/2.txt": b"two"}
    write_tar(tmp_path / "s-0.tar", first)
    write_tar(tmp_path / "s-1.tar", {"1.json": probe, "1.png": b"?", "2.jpg": b"J2", "3.txt": b"three"})
    return tmp_path


@pytest.mark.parametrize("pattern", ["", "p*.parquet"])
def test_parquet_shards_are_read_one_after_the_other(parquet_shards, pattern):
    parts = list(read_parts(str(parquet_shards / pattern), VECTORS, 2))
    assert np.concatenate([part.modalities["a"].values for part in parts])[:, 0].tolist() == [0, 1, 2, 10, 11]
    assert ids_of(parquet_shards / pattern, VECTORS) == ["p0:0", "p0:1", "p0:2", "p1:0", "p1:1"]


def test_ids_do_not_depend_on_which_shards_are_read(parquet_shards):
    assert ids_of(str(parquet_shards / "p[1].parquet"), VECTORS) == ["p1:0", "p1:1"]


def test_an_id_column_goes_first(tmp_path):
    pl.DataFrame({"a1": [1.0], "name": ["n"]}).write_parquet(tmp_path / "p.parquet")
    assert ids_of(tmp_path, DataSchema({"a": ModalityColumns(("a1",))}, None, "name")) == ["n"]


def test_tars_give_files_as_values_and_what_is_not_there_as_absent(tars):
    parts = list(read_parts(tars, TYPED, 2))
    assert [part.modalities["photo"].values for part in parts] == [[b"J1", None], [None, b"J2"], [None]]
    assert [part.modalities["words"].values for part in parts] == [["größer", "two"], [None, None], ["three"]]
    assert parts[0].modalities["probe"].values[0].tolist() == [1, 2]
    assert [part.modalities["probe"].present.tolist() for part in parts] == [[True, False], [True, False], [False]]
    assert ids_of(tars, TYPED) == ["s-0:x/1", "s-0:x/2", "s-1:1", "s-1:2", "s-1:3"]
    assert ids_of(tars / "s-1.tar", TYPED) == ["s-1:1", "s-1:2", "s-1:3"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"1.png": b"x"}, "no sample has a file or key called 'jpg'"),
        ({}, "holds no samples"),
        ({"1.json": b"[1]"}, "expected a JSON object; got a list"),
        ({"1.json": b"{"}, "not valid JSON"),
        ({"1.jpg": b"x", "2.jpg": b"y", "1.txt": b"z"}, "'1' do not follow one another"),
    ],
)
def test_bad_tars_are_refused(tmp_path, files, message):
    write_tar(tmp_path / "t.tar", files)
    with pytest.raises(DataError, match=message):
        list(read_parts(tmp_path / "t.tar", TYPED, 9))


def test_a_cut_tar_is_refused(tars):
    path = tars / "s-0.tar"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match="cannot be read as a tar"):
        list(read_parts(path, TYPED, 9))


def test_shards_of_two_kinds_are_refused(parquet_shards, tars):
    with pytest.raises(DataError, match="one kind"):
        shards_of(tars)


def test_numbers_of_json_may_be_written_either_way_but_texts_among_them_are_refused(tmp_path):
    places = DataSchema({"probe": ModalityColumns(("probe",))}, None, None)
    for name, second in (("good", [3, 4.5]), ("bad", [3, "x"])):
        objects = {f"{k}.json": json.dumps({"probe": probe}).encode() for k, probe in enumerate(([1, 2.0], second))}
        write_tar(tmp_path / f"{name}.tar", objects)
    (part,) = read_parts(tmp_path / "good.tar", places, 10)
    assert part.modalities["probe"].values.tolist() == [[1.0, 2.0], [3.0, 4.5]]
    with pytest.raises(DataError, match=r"bad\.tar: values of 'probe' cannot stand in one column: unexpected value"):
        list(read_parts(tmp_path / "bad.tar", places, 10))
