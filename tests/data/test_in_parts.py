"""Labelled samples in parts, on disk and put together again: the same samples as those read whole."""

import json

import numpy as np
import polars as pl
import pytest
from test_shards import write_tar

from qmf.data import DataSchema, ModalityColumns, Samples, open_samples, read_in_parts, read_samples, store_samples
from qmf.data.reading import read_raw, samples_of_vectors
from qmf.errors import ConfigError, DataError

SCHEMA = DataSchema({"a": ModalityColumns(("a*",)), "b": ModalityColumns(("b",))}, "kind", "name")


def frame(n, first=0, kinds=("cat", "dog"), width=2):
    rng = np.random.default_rng(first)
    columns = {"name": [f"s{first + i}" for i in range(n)], "kind": [kinds[i % len(kinds)] for i in range(n)]}
    columns |= {f"a{j}": rng.normal(size=n) for j in range(width)}
    return pl.DataFrame(columns | {"b": [None if i == 1 else float(i) for i in range(n)]})


def stored(source, folder, schema=SCHEMA, rows=4):
    parts = read_in_parts(source, schema, rows)
    samples = (samples_of_vectors(part) for part in parts.read())
    return store_samples(samples, folder, parts.key, written=parts.written, named=parts.named)


def assert_same(one, other):
    assert one.modalities == other.modalities
    for name in one.modalities:
        np.testing.assert_array_equal(one.features[name], other.features[name])
    for part in ("present", "ids", "labels"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
    assert one.labels.dtype.kind == other.labels.dtype.kind


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("kinds", [("cat", "dog"), (3, -1), ("7", "x")])
def test_a_stored_table_is_the_table_read_whole(tmp_path, ending, kinds):
    path = tmp_path / f"t.{ending}"
    getattr(frame(11, kinds=kinds), {"jsonl": "write_ndjson"}.get(ending, f"write_{ending}"))(path)
    samples = stored(path, tmp_path / "data")
    assert all(isinstance(x, np.memmap) for x in samples.features.values())
    assert_same(samples, read_samples(path, SCHEMA, require_label=True))
    # Some of them are copies in memory.
    assert not any(isinstance(x, np.memmap) for x in samples.take([3, 1]).features.values())


def test_labels_of_a_csv_file_are_integers_only_if_all_are(tmp_path):
    path = tmp_path / "t.csv"
    frame(8, kinds=("1", "2")).vstack(frame(1, first=8, kinds=("1b",))).write_csv(path)
    labels = stored(path, tmp_path / "data").labels
    assert labels.tolist() == ["1", "2"] * 4 + ["1b"]


def test_shards_put_together_are_the_shards_on_disk(tmp_path):
    (tmp_path / "s").mkdir()
    for k in range(3):
        frame(5, first=5 * k).write_parquet(tmp_path / "s" / f"{k}.parquet")
    whole = samples_of_vectors(read_raw(tmp_path / "s", SCHEMA, require_label=True))
    assert whole.ids.tolist() == [f"s{i}" for i in range(15)]
    assert_same(stored(tmp_path / "s", tmp_path / "data"), whole)


def test_labels_stand_in_files_of_a_tar_or_in_its_json(tmp_path):
    def sample(k, label):
        return {f"{k}.json": json.dumps({"a": [k, 1.0], "b": k, "kind": label}).encode(), f"{k}.cls": b"%d\n" % (k % 2)}

    write_tar(tmp_path / "t.tar", {name: x for k in range(5) for name, x in sample(k, ["x", "y"][k % 2]).items()})
    places = {"a": ModalityColumns(("a",)), "b": ModalityColumns(("b",))}
    for label, expected in (("cls", [0, 1, 0, 1, 0]), ("kind", ["x", "y", "x", "y", "x"])):
        samples = stored(tmp_path / "t.tar", tmp_path / label, DataSchema(places, label, None), rows=2)
        assert samples.labels.tolist() == expected
        assert samples.ids.tolist() == [f"t:{k}" for k in range(5)]
    with pytest.raises(DataError, match=r"t\.tar: label 'species' is missing .* in sample 0"):
        stored(tmp_path / "t.tar", tmp_path / "no", DataSchema(places, "species", None))
    write_tar(tmp_path / "bad.tar", {"0.json": b'{"a": [1, 2], "b": 3}', "0.cls": b"\xff"})
    with pytest.raises(DataError, match=r"bad\.tar, sample '0': its label is no UTF-8"):
        stored(tmp_path / "bad.tar", tmp_path / "no", DataSchema(places, "cls", None))


def test_what_was_not_written_to_the_end_or_of_other_data_is_not_opened(tmp_path):
    frame(6).write_parquet(tmp_path / "t.parquet")
    folder, key = tmp_path / "data", read_in_parts(tmp_path / "t.parquet", SCHEMA).key
    samples = stored(tmp_path / "t.parquet", folder)
    assert_same(open_samples(folder, key), samples)
    assert open_samples(folder, "another") is None
    frame(7).write_parquet(tmp_path / "t.parquet")
    assert read_in_parts(tmp_path / "t.parquet", SCHEMA).key != key
    (folder / "index.json").unlink()
    assert open_samples(folder, key) is None


def test_an_id_that_comes_twice_in_two_parts_is_refused(tmp_path):
    frame(6).vstack(frame(1, first=2)).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="the id 's2' is there twice, in samples 2 and 6"):
        stored(tmp_path / "t.parquet", tmp_path / "data")
    assert open_samples(tmp_path / "data", "") is None


def test_shards_that_differ_are_refused(tmp_path):
    frame(3).write_parquet(tmp_path / "0.parquet")
    frame(3, first=3, width=3).write_parquet(tmp_path / "1.parquet")
    with pytest.raises(DataError, match=r"1\.parquet has features \{'a': 3, 'b': 1\}; expected \{'a': 2, 'b': 1\}"):
        stored(tmp_path, tmp_path / "data")
    with pytest.raises(DataError, match=r"1\.parquet: modality 'a' has 3 numbers a sample; in .*0\.parquet it has 2"):
        read_raw(tmp_path, SCHEMA, require_label=True)
    frame(3, first=3, kinds=(1, 2)).write_parquet(tmp_path / "1.parquet")
    with pytest.raises(DataError, match=r"1\.parquet: labels are integers, such as 1; in .*0\.parquet they are texts"):
        stored(tmp_path, tmp_path / "data")


def test_what_cannot_come_in_parts_is_refused(tmp_path):
    np.savez(tmp_path / "t.npz", a=np.ones((3, 2)))
    with pytest.raises(DataError, match=r"t\.npz cannot be read in parts: expected \.csv"):
        read_in_parts(tmp_path / "t.npz", SCHEMA)
    with pytest.raises(ConfigError, match="the schema names no label column"):
        read_in_parts(tmp_path / "t.npz", DataSchema(SCHEMA.modalities, None, None))
    unlabelled = Samples({"a": np.ones((1, 2), np.float32)}, np.ones((1, 1), bool), np.array(["0"]), None, "t")
    with pytest.raises(DataError, match="t has no labels: they are needed here"):
        store_samples([unlabelled], tmp_path / "data", "", written=False, named=False)
