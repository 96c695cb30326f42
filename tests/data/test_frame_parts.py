"""Tables some rows at a time give what the whole file gives."""

import polars as pl
import pytest

from qmf.data import frame_parts as module
from qmf.data.frame_parts import frame_parts, frame_schema

WHOLE = pl.DataFrame({"b": ["1", "two\nlines", 'a "quoted" one', "4", "5"], "a": ["x", "y", "z,z", "", "v"]})


@pytest.fixture(params=[1, 3, 7, 40, 1 << 20])
def block(request, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", request.param)


@pytest.mark.parametrize("last", ["", "\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blocks_of_any_size_give_the_same_rows(tmp_path, block, end, last):
    path = tmp_path / "t.csv"
    text = WHOLE.write_csv(line_terminator=end).removesuffix(end) + last.replace("\n", end)
    path.write_bytes(text.encode())
    parts = list(frame_parts(path, ["a", "b"], 2))
    assert all(len(part) <= 2 for part in parts)
    assert pl.concat(parts).equals(pl.read_csv(path, infer_schema=False).select("a", "b"))
    assert frame_schema(path).names() == ["b", "a"]


def test_a_header_without_rows_is_one_empty_part(tmp_path, block):
    path = tmp_path / "t.csv"
    path.write_text("a,b")
    assert [part.shape for part in frame_parts(path, ["b"], 2)] == [(0, 1)]


def test_a_name_of_two_lines(tmp_path, block):
    path = tmp_path / "t.csv"
    path.write_text('"a\nb",c\n1,2\n3,4\n')
    assert pl.concat(frame_parts(path, ["a\nb"], 9))["a\nb"].to_list() == ["1", "3"]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_other_tables(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    WHOLE.write_parquet(path) if suffix == "parquet" else WHOLE.write_ndjson(path)
    parts = list(frame_parts(path, ["b", "a"], 2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert pl.concat(parts).equals(WHOLE)
