from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from qmf.data import Samples, from_arrays
from qmf.errors import ConfigError, DataError

NAN = float("nan")


def test_two_samples_one_without_sound() -> None:
    samples = from_arrays({"sound": [[1, 2], None], "light": [0.5, 0.7]}, ["cat", "dog"])
    assert samples.modalities == ("sound", "light")
    assert samples.features["sound"].tolist() == [[1, 2], [0, 0]]
    assert samples.features["light"].tolist() == [[0.5], [np.float32(0.7)]]
    assert samples.features["sound"].dtype == np.float32
    assert samples.present.tolist() == [[True, True], [False, True]]
    assert samples.ids.tolist() == ["0", "1"]
    assert samples.labels is not None
    assert samples.labels.tolist() == ["cat", "dog"]
    assert samples.source == "X"
    assert len(samples) == 2


ABSENT_SECOND = [
    pytest.param([[1.0, 2.0], None], id="list with None"),
    pytest.param([[1.0, 2.0], [NAN, NAN]], id="list of lists"),
    pytest.param([np.array([1.0, 2.0]), np.array([NAN, NAN])], id="list of arrays"),
    pytest.param(np.array([[1.0, 2.0], [NAN, NAN]]), id="float64"),
    pytest.param(np.array([[1.0, 2.0], [NAN, NAN]], np.float16), id="float16"),
    pytest.param(np.array([[1, 2.0], [None, None]], object), id="objects"),
    pytest.param(np.ma.masked_array([[1, 2], [3, 4]], [[0, 0], [1, 1]]), id="masked"),
    pytest.param(pd.Series([np.array([1.0, 2.0]), None]), id="series of arrays"),
    pytest.param(pl.DataFrame({"a": [1, None], "b": [2, None]}), id="polars"),
]


@pytest.mark.parametrize("value", ABSENT_SECOND)
def test_every_way_to_declare_absence(value: Any) -> None:
    samples = from_arrays({"a": value, "b": [1, 2]})
    assert samples.features["a"].tolist() == [[1, 2], [0, 0]]
    assert samples.present.tolist() == [[True, True], [False, True]]


FRAME = {"id": ["x", "y"], "a_1": [1, None], "a_2": [2.5, None], "flag": [True, False]}
LIBRARIES = [pd.DataFrame, pl.DataFrame, pa.table, lambda data: pd.DataFrame(data).convert_dtypes()]


@pytest.mark.parametrize("library", LIBRARIES)
def test_data_frames(library: Any) -> None:
    samples = from_arrays(library(FRAME), [0, 1], views={"a": "a_*", "flag": ["flag"]}, ids=["x", "y"])
    assert samples.features["a"].tolist() == [[1, 2.5], [0, 0]]
    assert samples.features["flag"].tolist() == [[1], [0]]
    assert samples.present.tolist() == [[True, True], [False, True]]
    assert samples.ids.tolist() == ["x", "y"]


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"v": [[1, 2], None], "w": [1, 2]}),
        pl.DataFrame({"v": [[1, 2], None], "w": [1, 2]}, schema_overrides={"v": pl.Array(pl.Float32, 2)}),
        pd.DataFrame({"v": [[1, 2], None], "w": [1, 2]}),
        pa.table({"v": [[1, 2], None], "w": [1, 2]}),
        pl.DataFrame({"v": [[1, 2], [None, NAN]], "w": [1, 2]}, strict=False),
    ],
)
def test_one_column_of_lists(frame: Any) -> None:
    samples = from_arrays(frame, views={"v": "v", "w": "w"})
    assert samples.features["v"].tolist() == [[1, 2], [0, 0]]
    assert samples.present.tolist() == [[True, True], [False, True]]


def test_a_frame_column_that_is_empty_throughout_is_absent() -> None:
    samples = from_arrays(pl.DataFrame({"a": [None, None], "b": [1, 2]}), views={"a": "a", "b": "b"})
    assert samples.present.tolist() == [[False, True], [False, True]]


@pytest.mark.parametrize("frame", [pl.DataFrame({"a": [1], "b": [2]}), np.array([[1, 2]]), [[1, 2]]])
def test_without_views_all_columns_are_one_modality(frame: Any) -> None:
    samples = from_arrays(frame)
    assert {name: x.tolist() for name, x in samples.features.items()} == {"features": [[1, 2]]}


def test_matrix_views_by_position() -> None:
    x = np.arange(10).reshape(2, 5)
    samples = from_arrays(x, views={"list": [4, 0], "slice": slice(1, 3), "range": range(3, 5), "last": [-1]})
    assert {name: rows[0].tolist() for name, rows in samples.features.items()} == {
        "list": [4, 0],
        "slice": [1, 2],
        "range": [3, 4],
        "last": [4],
    }


def test_what_was_given_is_copied() -> None:
    x, y = np.ones((2, 2), np.float32), np.array([0, 1])
    samples = from_arrays({"a": x}, y)
    x[:], y[:] = 7, 7
    assert samples.features["a"].max() == 1
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 1]


TWO = {"a": [[1.0], [2.0]], "b": [[3.0], [4.0]]}
BAD_X: list[Any] = [
    ({"a": [[1, NAN], [1, 2]]}, "X, row 0, modality 'a': contains NaN (empty) in column 1, while"),
    ({"a": [[1, NAN], [1, 2]]}, "to declare the modality absent, make the whole row NaN"),
    ({"a": [[1, 2], [np.inf, 2]]}, "X, row 1, modality 'a': contains inf (infinity): inf in column 0"),
    ({"a": [[1, 2], [-np.inf, NAN]]}, "contains NaN"),
    ({"a": np.array([1, -1e39])}, "contains inf (infinity) once it is converted to float32"),
    ({"a": ["1.5", "2"]}, "X, row 0, modality 'a': column 0 holds '1.5' (str) where a number belongs"),
    ({"a": [[1, 2], [3, "x"]]}, "X, row 1, modality 'a': column 1 holds 'x' (str)"),
    ({"a": np.array([[1, "x"]], object)}, "column 1 holds 'x' (str)"),
    ({"a": np.array(["x"])}, "where a number belongs"),
    ({"a": np.array([1j])}, "is of type complex128; expected real numbers"),
    ({"a": np.zeros((2, 3, 4))}, "is a ndarray of shape (2, 3, 4); expected samples x features"),
    ({"a": [[1, 2], [1, 2, 3]]}, "X, row 1, modality 'a': expected a vector of 2 numbers, as in row 0; got shape (3,)"),
    ({"a": [[1, 2], None, [[1], [1, 2]]]}, "X, row 2, modality 'a': column 0 holds [1] (list)"),
    ({"a": [None, None]}, "is None in every sample, so its number of features is unknown"),
    ({"a": []}, "0 samples"),
    ({"a": np.zeros((0, 2))}, "0 samples"),
    ({"a": np.zeros(0)}, "0 samples"),
    ({"a": np.zeros((2, 0))}, "modality 'a' has no columns"),
    ({"a": [1, 2], "b": [1]}, "modality 'b' has 1 samples, but 'a' has 2"),
    ({"a": [1, NAN, NAN], "b": [1, NAN, 2]}, "no modality is present in row 1 (all are empty, NaN or None)"),
    ([[1, 2], [1]], "X, row 1: expected a vector of 2 numbers, as in row 0; got shape (1,)"),
    ([1, 2], "is a list of shape (2,); expected samples x features"),
    (np.zeros(3), "is a ndarray of shape (3,); expected samples x features"),
    (pl.DataFrame({"a": [1], "b": ["7"]}), "X, row 0, modality 'features': column 'b' holds '7' (String)"),
    (pl.DataFrame({"a": [1], "b": [[7]]}), "A column of lists must be the only one of its modality"),
    (pd.DataFrame({"a": [1, 2], "b": [1, "z"]}), "X, row 1, modality 'features'"),
    (
        pl.DataFrame({"v": [[1], [1, 2]]}),
        "X, row 1, modality 'features': column 'v' holds a list of 2 numbers; expected 1",
    ),
    (pl.DataFrame({"v": [["x"]]}), "holds lists of String"),
    (pl.DataFrame({"v": [[], [1.0]]}), "holds a list of 0 numbers"),
    (pl.DataFrame({"v": [None]}, schema={"v": pl.List(pl.Float64)}), "is empty in every row"),
    (pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, None]}), "contains NaN (empty) in column 'b'"),
    (pd.DataFrame([[1, 2]], columns=["a", "a"]), "not a usable data frame"),
]


@pytest.mark.parametrize(("x", "message"), BAD_X)
def test_bad_data_are_refused_by_name(x: Any, message: str) -> None:
    with pytest.raises(DataError) as error:
        from_arrays(x)
    assert message in str(error.value)


def test_ids_are_named() -> None:
    with pytest.raises(DataError, match=r"train, row 1 \(id 'y'\), modality 'a': contains NaN"):
        from_arrays({"a": [[1, 2], [NAN, 2]]}, ids=["x", "y"], source="train")
    with pytest.raises(DataError, match=r"no modality is present in row 1 \(id 'y'\)"):
        from_arrays({"a": [1, NAN]}, ids=["x", "y"])


BAD_VIEWS: list[Any] = [
    (
        pl.DataFrame({"fou_1": [1]}),
        {"a": "fou_2"},
        DataError,
        "no column 'fou_2' for modality 'a'; did you mean 'fou_1'?",
    ),
    (
        pl.DataFrame({"a": [1]}),
        {"a": "x_*"},
        DataError,
        "pattern 'x_*' of modality 'a' matches no column; there are: 'a'",
    ),
    (pl.DataFrame({"a": [1]}), {"a": []}, DataError, "names no column"),
    (pl.DataFrame({"a": [1]}), {"a": ["a", "*"]}, ConfigError, "names the column 'a' twice"),
    (pl.DataFrame({"a": [1]}), {"a": [0]}, ConfigError, "expected a column name, a pattern"),
    (np.ones((1, 2)), {"a": [2]}, DataError, "names the columns 2; there are 2"),
    (np.ones((1, 2)), {"a": slice(2, 2)}, DataError, "names no column"),
    (np.ones((1, 2)), {"a": "x"}, ConfigError, "expected positions of columns"),
    (np.ones((1, 2)), {"a": [True, False]}, ConfigError, "expected positions of columns"),
    (np.ones((1, 2)), {}, ConfigError, "at least one modality"),
    ({}, None, ConfigError, "at least one modality"),
    ({1: [1]}, None, ConfigError, "each named by a string"),
    ({"a": [1]}, {"a": [0]}, ConfigError, "`views` is for a data frame or matrix"),
]


@pytest.mark.parametrize(("x", "views", "kind", "message"), BAD_VIEWS)
def test_bad_views(x: Any, views: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as error:
        from_arrays(x, views=views)
    assert message in str(error.value)


LABELS: list[Any] = [
    ([3, 1], [3, 1], "i"),
    ([3.0, 1.0], [3, 1], "i"),
    (["b", "a"], ["b", "a"], "U"),
    ([True, False], [True, False], "b"),
    (np.array(["b", "a"], object), ["b", "a"], "U"),
    (np.array([3, 1], object), [3, 1], "i"),
    (np.array([3.0, 1], object), [3, 1], "i"),
    (np.array([np.int8(3), np.int8(1)], object), [3, 1], "i"),
    (np.array([True, False], object), [True, False], "b"),
    (pd.Series(["b", "a"]), ["b", "a"], "U"),
    (pd.Series(["b", "a"], dtype="category"), ["b", "a"], "U"),
    (pl.Series(["b", "a"]), ["b", "a"], "U"),
    (np.array([3, 1], np.uint8), [3, 1], "u"),
]


@pytest.mark.parametrize(("y", "expected", "kind"), LABELS)
def test_labels_are_plain(y: Any, expected: list[Any], kind: str) -> None:
    labels = from_arrays({"a": [1, 2]}, y).labels
    assert labels is not None
    assert labels.tolist() == expected
    assert labels.dtype.kind == kind


BAD_LABELS: list[Any] = [
    ([1], "1 labels (y) for 2 samples"),
    ([[1], [2]], "y has shape (2, 1); expected one per sample"),
    ([1.0, NAN], "y is missing (None, NaN or empty) in row 1"),
    (["a", None], "missing (None, NaN or empty) in row 1"),
    (["a", " "], "missing (None, NaN or empty) in row 1"),
    (pd.Series([1, pd.NA], dtype="Int64"), "missing (None, NaN or empty) in row 1"),
    ([1, 2.5], "y is 2.5 in row 1. Unknown label type: continuous"),
    ([1, np.inf], "y is inf in row 1"),
    (np.array([1, "a"], object), "y holds int in row 0, str in row 1; expected only"),
    (np.array([1, 2**70], object), "beyond 64 bits"),
    (np.array(["2020-01-01", "2020-01-02"], "M8[D]"), "expected integers, strings or booleans"),
]


@pytest.mark.parametrize(("y", "message"), BAD_LABELS)
def test_bad_labels(y: Any, message: str) -> None:
    with pytest.raises(DataError) as error:
        from_arrays({"a": [1, 2]}, y)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["x"], "1 ids for 2 samples"),
        (["x", "x"], "ids must be unique; 1 there more than once: 'x' ('x' in row 0, row 1)"),
        (["x", None], "ids is missing (None, NaN or empty) in row 1"),
    ],
)
def test_bad_ids(ids: Any, message: str) -> None:
    with pytest.raises(DataError) as error:
        from_arrays({"a": [1, 2]}, ids=ids)
    assert message in str(error.value)


@pytest.fixture
def three() -> Samples:
    return from_arrays({"a": [[1], [2], None], "b": [4, 5, 6]}, [0, 1, 0], ids=["x", "y", "z"])


def test_take(three: Samples) -> None:
    taken = three.take([2, 0])
    assert taken.ids.tolist() == ["z", "x"]
    assert taken.features["a"].tolist() == [[0], [1]]
    assert taken.present.tolist() == [[False, True], [True, True]]
    assert taken.labels is not None
    assert taken.labels.tolist() == [0, 0]
    assert three.take(np.array([False, True, False])).ids.tolist() == ["y"]
    assert len(three.take([])) == 0
    with pytest.raises(IndexError):
        three.take([3])


def test_without(three: Samples) -> None:
    left = three.without("a")
    assert left.modalities == ("a", "b")
    assert left.present.tolist() == [[False, True]] * 3
    assert not left.features["a"].any()
    assert three.present[0].all()
    with pytest.raises(ConfigError, match="no modality 'c'; there are: 'a', 'b'"):
        three.without("c")
    with pytest.raises(DataError, match=r"no modality is present in row 2 \(id 'z'\)"):
        three.without("b")


def test_with_labels_keeps_absence(three: Samples) -> None:
    relabelled = three.with_labels(["u", "v", "w"])
    assert relabelled.present.tolist() == three.present.tolist()
    assert relabelled.labels is not None
    assert relabelled.labels.tolist() == ["u", "v", "w"]
    with pytest.raises(DataError, match="2 labels"):
        three.with_labels([1, 2])


def test_a_million_rows_are_no_python_loop() -> None:
    x = np.ones((1_000_000, 2), np.float32)
    x[::3] = np.nan
    samples = from_arrays({"a": x, "b": np.ones(1_000_000)}, np.zeros(1_000_000, int))
    assert not samples.present[::3, 0].any()
    assert samples.present[1::3].all()
