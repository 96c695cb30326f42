from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse

from qmf.data import DataSchema, ModalityColumns, Samples, read_samples
from qmf.errors import ConfigError, DataError

Write = Callable[[str, Any], Path]


def schema(label: str | None = "y", id: str | None = None, **modalities: str | list[str]) -> DataSchema:
    places = {name: ModalityColumns((c,) if isinstance(c, str) else tuple(c)) for name, c in modalities.items()}
    return DataSchema(places, label, id)


AB = schema(a="a_*", b="b")
TABLE = "y,a_1,b,a_2\ncat,1,5,2\ndog,,6,\n"


def check_ab(samples: Samples) -> None:
    assert samples.modalities == ("a", "b")
    assert samples.features["a"].tolist() == [[1, 2], [0, 0]]
    assert samples.features["b"].tolist() == [[5], [6]]
    assert samples.present.tolist() == [[True, True], [False, True]]
    assert samples.ids.tolist() == ["0", "1"]
    assert samples.labels is not None
    assert samples.labels.tolist() == ["cat", "dog"]


def test_csv_with_one_absent_modality(write: Write) -> None:
    path = write("t.csv", TABLE)
    samples = read_samples(path, AB, require_label=True)
    check_ab(samples)
    assert samples.source == str(path)


@pytest.mark.parametrize(
    "text",
    [
        TABLE.replace("\n", "\r\n"),
        "\ufeff" + TABLE,
        TABLE.rstrip("\n"),
        'y,a_1,b,a_2\ncat,"1",5, 2\ndog,nan,6,NaN\n',
        'y,a_1,b,a_2,note\ncat,1,5,2,\ndog,,6,,"two\nlines"\n',
    ],
    ids=["crlf", "bom", "no last newline", "quotes, blanks and nan", "other columns"],
)
def test_ways_to_write_csv(write: Write, text: str) -> None:
    check_ab(read_samples(str(write("t.CSV", text)), AB, require_label=True))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", {"y": ["cat", "dog"], "a_1": [1, None], "a_2": [2.0, np.nan], "b": [5, 6]}),
        ("t.jsonl", [{"y": "cat", "a_1": 1, "a_2": 2, "b": 5}, {"y": "dog", "b": 6, "a_2": None}]),
        ("t.jsonl", '\n{"y": "cat", "a_1": 1, "a_2": 2, "b": 5}\n\n{"y": "dog", "b": 6}'),
        ("key=1[x].parquet", {"y": ["cat", "dog"], "a_1": [1, None], "a_2": [2.0, np.nan], "b": [5, 6]}),
        ("t[1].csv", TABLE),
    ],
)
def test_other_tables(write: Write, name: str, content: Any) -> None:
    check_ab(read_samples(write(name, content), AB, require_label=True))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", {"y": ["cat", "dog"], "a": [[1, 2], None], "b": [5, 6]}),
        ("t.parquet", {"y": ["cat", "dog"], "a": [[1, 2], [None, None]], "b": [5, 6]}),
        ("t.jsonl", [{"y": "cat", "a": [1, 2.0], "b": [5]}, {"y": "dog", "b": [6]}]),
        ("t.npz", {"y": ["cat", "dog"], "a": [[1, 2], [np.nan, np.nan]], "b": [5, 6]}),
        ("t.mat", {"y": np.array(["cat", "dog"], object), "a": [[1, 2], [np.nan, np.nan]], "b": [5, 6]}),
        ("t.mat", {"y": ["cat", "dog"], "a": [[1, 2], [np.nan, np.nan]], "b": [[5], [6]]}),
    ],
)
def test_vectors(write: Write, name: str, content: Any) -> None:
    places = (
        {"a": ModalityColumns(("a",)), "b": ModalityColumns(("b",), transpose=content["b"] == [5, 6])}
        if (name == "t.mat")
        else schema(a="a", b="b").modalities
    )
    check_ab(read_samples(write(name, content), DataSchema(places, "y", None), require_label=True))


def test_parquet_array_column(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [[1, 2], None], "b": [5, 6], "y": ["cat", "dog"]})
    frame.with_columns(pl.col("a").cast(pl.Array(pl.Float32, 2))).write_parquet(tmp_path / "t.parquet")
    check_ab(read_samples(tmp_path / "t.parquet", schema(a="a", b="b"), require_label=True))


LABELS: list[Any] = [
    ("t.csv", "x,y\n1,3\n1,-7\n", [3, -7]),
    ("t.csv", "x,y\n1,03\n1,3\n", ["03", "3"]),
    ("t.csv", "x,y\n1,3.0\n1,4\n", ["3.0", "4"]),
    ("t.csv", "x,y\n1,True\n1,False\n", ["True", "False"]),
    ("t.parquet", {"x": [1, 1], "y": [True, False]}, [True, False]),
    ("t.parquet", {"x": [1, 1], "y": ["1", "2"]}, ["1", "2"]),
    ("t.parquet", {"x": [1, 1], "y": [1.0, 2.0]}, [1, 2]),
    ("t.parquet", {"x": [1, 1], "y": pl.Series(["u", "v"], dtype=pl.Categorical)}, ["u", "v"]),
    ("t.jsonl", [{"x": 1, "y": 1}, {"x": 1, "y": 2}], [1, 2]),
    ("t.npz", {"x": [1, 1], "y": [[1.0], [2.0]]}, [1, 2]),
    ("t.mat", {"x": [[1], [1]], "y": [1.0, 2.0]}, [1, 2]),
]


@pytest.mark.parametrize(("name", "content", "expected"), LABELS)
def test_labels_keep_their_type(write: Write, name: str, content: Any, expected: list[Any]) -> None:
    labels = read_samples(write(name, content), schema(x="x"), require_label=True).labels
    assert labels is not None
    assert labels.tolist() == expected
    assert type(labels.tolist()[0]) is type(expected[0])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "x\n1\n2\n"),
        ("t.csv", "x,y\n1,\n2, \n"),
        ("t.parquet", {"x": [1, 2], "y": [None, None]}),
        ("t.jsonl", [{"x": 1}, {"x": 2}]),
        ("t.npz", {"x": [1, 2]}),
    ],
)
def test_labels_may_be_left_out_where_they_are_not_needed(write: Write, name: str, content: Any) -> None:
    path = write(name, content)
    assert read_samples(path, schema(x="x"), require_label=False).labels is None
    with pytest.raises(DataError, match="label"):
        read_samples(path, schema(x="x"), require_label=True)
    with pytest.raises(ConfigError, match="the schema names no label column"):
        read_samples(path, schema(None, x="x"), require_label=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "id,x\n07,1\nb,2\n"),
        ("t.parquet", {"id": ["07", "b"], "x": [1, 2]}),
        ("t.npz", {"id": ["07", "b"], "x": [1, 2]}),
        ("t.mat", {"id": np.array(["07", "b"], object), "x": [[1], [2]]}),
    ],
)
def test_ids(write: Write, name: str, content: Any) -> None:
    assert read_samples(write(name, content), schema(None, "id", x="x"), require_label=False).ids.tolist() == [
        "07",
        "b",
    ]


BAD_TABLES: list[Any] = [
    ("t.csv", "y,a_1,a_2,b\nc,1,2,3\nd,1,,3\n", "line 3, modality 'a': contains NaN (empty) in column 'a_2', while"),
    ("t.csv", "y,a_1,a_2,b\nc,1,,3\n", "to declare the modality absent, leave all its cells empty"),
    ("t.csv", 'y,a_1,a_2,b\n"c\nc",1,2,3\nd,1,,3\n', "line 4, modality 'a'"),
    ("t.csv", "y,a_1,a_2,b\nc,1,x,3\n", "line 2, modality 'a': column 'a_2' holds the text 'x' where a number belongs"),
    ("t.csv", "y,a_1,a_2,b\nc,1,1_000,3\n", "holds the text '1_000'"),
    ("t.csv", "y,a_1,a_2,b\nc,1,NA,3\n", "holds the text 'NA'"),
    ("t.csv", "y,a_1,a_2,b\nc,1,-inf,3\n", "contains inf (infinity): -inf in column 'a_2'"),
    ("t.csv", "y,a_1,a_2,b\nc,1,1e39,3\n", "contains inf (infinity) once it is converted to float32"),
    ("t.csv", "y,a_1,a_2,b\nc,1,2,3\nd,,,\n", "no modality is present in line 3"),
    ("t.csv", "y,a_1,a_2,b\nc,1,2,3\n,1,2,3\n", "label 'y' is missing (None, NaN or empty) in line 3"),
    ("t.csv", "y,a_1,a_2,b\n7,1,2,3\n,1,2,3\n", "label 'y' is missing (None, NaN or empty) in line 3"),
    ("t.csv", "y,a_1,a_2,b\nc,1,2,3\nd,1,2\n", "line 3: 3 cells, but the header names 4 columns"),
    ("t.csv", "y,a_1,a_2,b\nc,1,2,3\nd,1,2,3,4\n", "line 3: 5 cells, but the header names 4 columns"),
    ("t.csv", "y,a_1,a_2,b\nc,1,2,3\n\nd,1,2,3\n", "line 3: 0 cells"),
    ("t.csv", "y,a_1,a_1,b\nc,1,2,3\n", "line 1: 'a_1' names more than one column"),
    ("t.csv", "y,a_1,a_2,bb\nc,1,2,3\n", "no column 'b' for modality 'b'; did you mean 'bb'?"),
    ("t.csv", "y,b\nc,1\n", "pattern 'a_*' of modality 'a' matches no column; there are: 'y', 'b'"),
    ("t.csv", "label,a_1,b\nc,1,1\n", "no column 'y' for the label"),
    ("t.csv", "y;a_1;b\nc;1;1\n", "matches no column; there are: 'y;a_1;b'"),
    ("t.csv", "y,a_1,b\n", "has no rows; expected samples"),
    ("t.csv", "", "is empty (0 bytes)"),
    ("t.csv", "\n\n", "cannot be read as CSV"),
    ("t.csv", b"y,a_1,b\n\xe9,1,2\n", "holds bytes that are not UTF-8"),
    ("t.csv", 'y,a_1,b\n"c,1,2\nd,1,2\n', "line 2: 1 cells, but the header names 3 columns"),
    ("t.parquet", {"y": ["c"], "a_1": [1], "a_2": [None], "b": [1]}, "row 0 (counted from 0), modality 'a'"),
    ("t.parquet", {"y": ["c"], "a_1": [1], "b": ["1"]}, "column 'b' holds '1' (String) where a number belongs"),
    ("t.parquet", {"y": ["c"], "a_1": [1], "b": [np.inf]}, "contains inf (infinity)"),
    ("t.parquet", {"y": [None], "a_1": [1], "b": [1]}, "label 'y' is missing (None, NaN or empty) in row 0"),
    ("t.parquet", {"y": [1.5], "a_1": [1], "b": [1]}, "label 'y' is 1.5 in row 0"),
    (
        "t.parquet",
        {"y": ["c", "d"], "a_1": [[1], [1, 2]], "b": [1, 1]},
        "holds a list of 2 numbers; expected 1, as in row 0",
    ),
    ("t.parquet", b"PAR1 and then nothing", "cannot be read as PARQUET"),
    (
        "t.jsonl",
        [{"y": "c", "a_1": 1, "b": 1}, {"y": "d", "a_1": 1, "b": "2"}],
        "line 2, modality 'b': column 'b' holds the text '2'",
    ),
    (
        "t.jsonl",
        [{"y": "c", "a_1": [1], "b": 1}, {"y": "d", "a_1": ["1"], "b": 2}],
        "line 2, modality 'a': column 'a_1' holds",
    ),
    (
        "t.jsonl",
        '{"y": "c", "a_1": 1, "a_2": 1, "b": 1}\n\n{"y": "d", "a_1": 1, "b": 1}\n',
        "line 3, modality 'a': contains NaN",
    ),
    ("t.jsonl", '{"y": "c", "a_1": 1, "b": 1}\n{"y": "c", ', "line 2: not valid JSON"),
    ("t.jsonl", '{"y": "c", "a_1": NaN, "b": 1}\n', "line 1: not valid JSON: NaN is no JSON; an empty cell is null"),
    ("t.jsonl", '{"y": "c", "a_1": 1, "b": 1}\n[1]\n', "line 2: expected one JSON object in each line"),
    ("t.jsonl", "\n", "cannot be read as JSONL"),
    ("t.jsonl", '{"y": "c", "a_1": 1, "b": 1}\n{"y": "c", "a_1": true, "b": 1}\n', "cannot be read as JSONL"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_TABLES)
def test_bad_tables_are_refused_by_name(write: Write, name: str, content: Any, message: str) -> None:
    path = write(name, content)
    with pytest.raises(DataError) as error:
        read_samples(path, AB, require_label=True)
    assert message in str(error.value)
    assert str(error.value).startswith(str(path))


def test_messages_name_the_id(write: Write) -> None:
    path = write("t.csv", "id,a_1,a_2\nu,1,2\nv,1,\n")
    with pytest.raises(DataError, match=r"line 3 \(id 'v'\), modality 'a'"):
        read_samples(path, schema(None, "id", a="a_*"), require_label=False)
    path = write("t.csv", "id,a_1,a_2\nu,1,2\nu,1,\n")
    with pytest.raises(
        DataError, match=r"id 'id' must be unique; 1 there more than once: 'u' \('u' in line 2, line 3\)"
    ):
        read_samples(path, schema(None, "id", a="a_*"), require_label=False)
    path = write("t.csv", "id,a_1,a_2\nu,1,2\n,1,\n")
    with pytest.raises(DataError, match=r"id 'id' is missing \(None, NaN or empty\) in line 3"):
        read_samples(path, schema(None, "id", a="a_*"), require_label=False)


def test_a_table_cut_off_anywhere_inside_a_row_is_refused_or_shorter(write: Write) -> None:
    text = "y,a_1,a_2,b\ncat,10,20,30\ndog,40,50,60\n"
    for end in range(text.index("dog") + 1, text.rindex(",") + 1):
        with pytest.raises(DataError):
            read_samples(write("t.csv", text[:end]), AB, require_label=True)


@pytest.mark.parametrize("name", ["t.parquet", "t.npz", "t.mat"])
def test_truncated_files_are_refused(write: Write, name: str) -> None:
    rng = np.random.default_rng(0)
    content = {"a": rng.normal(size=(50, 4)).tolist(), "y": [[i] for i in range(50)]}
    path = write(name, content)
    whole = path.read_bytes()
    for size in (1, 4, 100, 130, 200, 600, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=name):
            read_samples(path, schema(a="a"), require_label=True)


NPZ_X = {"x": np.zeros((3, 2)), "y": [0, 1, 0]}
BAD_ARRAYS: list[Any] = [
    (
        "t.npz",
        {"xx": [[1.0]], "y": [0]},
        "no array 'x' for modality 'x'; the file holds 'xx', 'y'; did you mean 'xx'?",
    ),
    ("t.npz", {"x": [[1.0]]}, "no array 'y' for the label"),
    (
        "t.npz",
        {"x": np.zeros((2, 3)), "y": [0, 1, 0]},
        "modality 'x' has 2 samples, but the label 'y' has 3. Read as 2 samples",
    ),
    ("t.npz", {"x": np.zeros((2, 3)), "y": [0, 1, 0]}, "the other way with transpose: true"),
    ("t.npz", {"x": np.zeros((2, 2)), "y": [0, 1, 0]}, "but the label 'y' has 3."),
    (
        "t.npz",
        {"x": np.array([{}, {}], object), "y": [0, 1]},
        "pickled objects, which could run code and are never read",
    ),
    ("t.npz", {"x": ["1", "2"], "y": [0, 1]}, "where a number belongs"),
    ("t.npz", {"x": [[1, np.nan]], "y": [0]}, "row 0 (counted from 0), modality 'x': contains NaN (empty) in column 1"),
    ("t.npz", {"x": [[1, 2.0]], "y": [[0, 1], [0, 1]]}, "'y', the label, has shape (2, 2); expected one per sample"),
    ("t.npz", {"x": np.zeros((0, 2)), "y": []}, "0 samples"),
    ("t.npz", b"no archive", "it is not a whole ZIP archive"),
    ("t.mat", {"z": [[1.0]], "y": [0]}, "no array 'x' for modality 'x'; the file holds 'z', 'y'; there are"),
    (
        "t.mat",
        {"x": np.array([np.zeros((1, 2)), 1], object), "y": [0]},
        "is a cell array of 2 items; name one of them, 'x[0]'",
    ),
    ("t.mat", {"x": {"field": 1}, "y": [0]}, "expected real numbers"),
    ("t.mat", {"x": np.array([[1], [2]]), "y": np.array(["a", ""], object)}, "label 'y' is missing"),
    (
        "t.mat",
        b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + b"\0" * 600,
        "of version 7.3 (HDF5)",
    ),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_ARRAYS)
def test_bad_arrays_are_refused_by_name(write: Write, name: str, content: Any, message: str) -> None:
    path = write(name, content)
    with pytest.raises(DataError) as error:
        read_samples(path, schema(x="x"), require_label=True)
    assert message in str(error.value)
    assert str(error.value).startswith(str(path))


def test_unequal_lengths_without_labels_hint_at_transpose(write: Write) -> None:
    path = write("t.npz", {"a": np.zeros((2, 9)), "b": np.zeros((3, 9))})
    with pytest.raises(DataError, match=r"modality 'b' has 3 samples, but modality 'a' has 2.*transpose: true"):
        read_samples(path, schema(None, a="a", b="b"), require_label=False)


def test_mat_cells_sparse_and_transposed(write: Write) -> None:
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[7], [8], [9]])
    path = write("t.mat", {"X": cells, "S": scipy.sparse.csc_array([[0, 1.0], [2, 0], [0, 0]]), "Y": [[1], [2], [3]]})
    places = {
        "a": ModalityColumns(("X[0]",), transpose=True),
        "b": ModalityColumns(("X[1]",)),
        "s": ModalityColumns(("S",)),
    }
    samples = read_samples(path, DataSchema(places, "Y", None), require_label=True)
    assert samples.features["a"].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert samples.features["b"].tolist() == [[7], [8], [9]]
    assert samples.features["s"].tolist() == [[0, 1], [2, 0], [0, 0]]
    assert samples.labels is not None
    assert samples.labels.tolist() == [1, 2, 3]


def test_bad_schemas(write: Write) -> None:
    csv, npz = write("t.csv", "id,x,y\nu,1,2\n"), write("t.npz", NPZ_X)
    with pytest.raises(ConfigError, match="takes in the label column 'y'"):
        read_samples(csv, schema(x="*"), require_label=False)
    with pytest.raises(ConfigError, match="takes in the id column 'id'"):
        read_samples(csv, schema(None, "id", x="*"), require_label=False)
    with pytest.raises(ConfigError, match="names the column 'x' twice"):
        read_samples(csv, schema(x=["x", "x*"]), require_label=False)
    with pytest.raises(ConfigError, match="transpose is for arrays"):
        read_samples(csv, DataSchema({"x": ModalityColumns(("x",), transpose=True)}, None, None), require_label=False)
    with pytest.raises(ConfigError, match="exactly one key"):
        read_samples(npz, schema(x=["x", "y"]), require_label=False)
    with pytest.raises(ConfigError, match="declares no modality"):
        read_samples(csv, schema(), require_label=False)
    with pytest.raises(DataError, match="no column 'name' for the sample id"):
        read_samples(csv, schema(id="name", x="x"), require_label=False)


def test_files_that_are_none(tmp_path: Path, write: Write) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_samples(tmp_path / "none.csv", AB, require_label=True)
    with pytest.raises(DataError, match="is a folder"):
        read_samples(tmp_path, AB, require_label=True)
    with pytest.raises(DataError, match=r"unknown ending '.parq'; known are .csv, .*; did you mean '.parquet'\?"):
        read_samples(write("t.parq", b"x"), AB, require_label=True)


needs_data = pytest.mark.skipif("QMF_DATA" not in os.environ, reason="QMF_DATA names no folder with the real data sets")


@needs_data
@pytest.mark.parametrize(
    ("name", "keys", "transpose", "label", "shapes", "classes"),
    [
        ("scene15_mtv", ["X[0]", "X[1]", "X[2]"], True, "gt", [(4485, 20), (4485, 59), (4485, 40)], 15),
        ("LandUse-21", ["X[0]", "X[1]", "X[2]"], False, "Y", [(2100, 20), (2100, 59), (2100, 40)], 21),
        ("Wikipedia", ["X[0]", "X[1]"], False, "y", [(2866, 128), (2866, 10)], 10),
        ("Wikipedia-test", ["X[0]", "X[1]"], False, "y", [(693, 128), (693, 10)], 10),
        ("handwritten_6views", ["x1_train", "x6_train"], False, "gt_train", [(1600, 240), (1600, 6)], 10),
    ],
)
def test_real_mat_files(
    name: str, keys: list[str], transpose: bool, label: str, shapes: list[tuple[int, int]], classes: int
) -> None:
    path = Path(os.environ["QMF_DATA"]) / "multiview" / f"{name}.mat"
    places = {f"view {i}": ModalityColumns((key,), transpose) for i, key in enumerate(keys)}
    samples = read_samples(path, DataSchema(places, label, None), require_label=True)
    assert [x.shape for x in samples.features.values()] == shapes
    assert samples.present.all()
    assert samples.labels is not None
    assert len(np.unique(samples.labels)) == classes


@needs_data
def test_a_real_file_the_wrong_way_round() -> None:
    path = Path(os.environ["QMF_DATA"]) / "multiview" / "scene15_mtv.mat"
    with pytest.raises(DataError, match=r"has 20 samples, but the label 'gt' has 4485.*transpose: true"):
        read_samples(path, schema("gt", a="X[0]"), require_label=True)
