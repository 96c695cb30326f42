"""Whatever small table is written, in whatever format, reads back as the same samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmf.data import DataSchema, ModalityColumns, Samples, from_arrays, read_samples

WORD = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from('\n,"'), max_size=4).map("w{}".format)
NUMBER = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def samples_of_any_kind(draw: st.DrawFn) -> Samples:
    n = draw(st.integers(1, 5))
    widths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    x = {
        f"m{m}": np.array(draw(st.lists(NUMBER, min_size=n * d, max_size=n * d))).reshape(n, d)
        for m, d in enumerate(widths)
    }
    whole = draw(st.lists(st.integers(0, len(widths) - 1), min_size=n, max_size=n))
    for m, name in enumerate(x):
        absent = draw(st.lists(st.booleans(), min_size=n, max_size=n))
        x[name][[gone and m != kept for gone, kept in zip(absent, whole, strict=True)]] = np.nan
    label: Any = draw(st.sampled_from([WORD, st.integers(-(10**17), 10**17)]))
    labels = draw(st.lists(label, min_size=n, max_size=n))
    ids = draw(st.lists(WORD, min_size=n, max_size=n, unique=True))
    return from_arrays(x, labels, ids=ids)


def numbers_or_nan(samples: Samples) -> dict[str, Any]:
    columns = {name: x.astype(np.float64) for name, x in samples.features.items()}
    for m, x in enumerate(columns.values()):
        x[~samples.present[:, m]] = np.nan
    return columns


def write_table(path: Path, samples: Samples) -> DataSchema:
    columns = {f"{name}_{j}": x[:, j] for name, x in numbers_or_nan(samples).items() for j in range(x.shape[1])}
    assert samples.labels is not None
    frame = pl.DataFrame({"label": samples.labels.tolist(), "id": samples.ids.tolist(), **columns})
    frame = frame.with_columns(pl.col(list(columns)).fill_nan(None))
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dicts()), encoding="utf-8")
    elif path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    return DataSchema({name: ModalityColumns((f"{name}_*",)) for name in samples.modalities}, "label", "id")


def write_arrays(path: Path, samples: Samples) -> DataSchema:
    assert samples.labels is not None
    arrays = {"label": samples.labels, "id": samples.ids, **numbers_or_nan(samples)}
    np.savez(path, **arrays)
    return DataSchema({name: ModalityColumns((name,)) for name in samples.modalities}, "label", "id")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".npz"])
@given(samples=samples_of_any_kind())
@settings(max_examples=60, deadline=None)
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, suffix: str, samples: Samples) -> None:
    path = tmp_path_factory.mktemp("table") / f"t{suffix}"
    schema = write_arrays(path, samples) if suffix == ".npz" else write_table(path, samples)
    read = read_samples(path, schema, require_label=True)
    assert read.modalities == samples.modalities
    for name, x in samples.features.items():
        np.testing.assert_array_equal(read.features[name], x)
    np.testing.assert_array_equal(read.present, samples.present)
    assert read.ids.tolist() == samples.ids.tolist()
    assert read.labels is not None
    assert samples.labels is not None
    assert read.labels.tolist() == samples.labels.tolist()


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_private_characters_are_text(tmp_path: Path, suffix: str) -> None:
    samples = from_arrays({"m": np.ones((2, 1))}, ["w\U0010fffd", "x\ufffd"], ids=["\U0010fffd", "\ufffd"])
    path = tmp_path / f"t{suffix}"
    read = read_samples(path, write_table(path, samples), require_label=True)
    assert read.ids.tolist() == samples.ids.tolist()
    assert read.labels is not None
    assert read.labels.tolist() == ["w\U0010fffd", "x\ufffd"]
