"""Tables some rows at a time, however large the file: a CSV file in blocks of bytes, the others by polars' batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

__all__ = ["frame_parts", "frame_schema"]

_BLOCK = 1 << 20  # bytes of a CSV file read at a time
_NEWLINE, _QUOTE = b'\n"'


def frame_schema(path: Path) -> pl.Schema:
    """Give names and types of the columns; in CSV everything is text.

    Parameters
    ----------
    path : pathlib.Path
        A CSV, Parquet or JSONL file.

    Returns
    -------
    polars.Schema
        Of a JSONL file, from its first rows.

    Raises
    ------
    polars.exceptions.PolarsError, OSError
        If the file cannot be read.
    """
    return _scan(path).collect_schema()


def frame_parts(path: Path, wanted: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
    """Give columns of a table some rows at a time.

    Parameters
    ----------
    path : pathlib.Path
        A CSV, Parquet or JSONL file.
    wanted : sequence of str
        Columns, in the order they are given in.
    rows : int
        At most so many rows in a part.

    Yields
    ------
    polars.DataFrame
        In the order of the file; at least one, which has no rows if the file has none.

    Raises
    ------
    polars.exceptions.PolarsError, OSError
        If the file cannot be read; also after some parts have been given.

    Notes
    -----
    Polars reads a CSV file far ahead of what is asked of it, so that memory would grow with the file.
    """
    if path.suffix.lower() == ".csv":
        frames = _csv_frames(path, list(wanted))
    else:
        frames = _scan(path).select(wanted).collect_batches(chunk_size=rows, maintain_order=True)
    for frame in frames:
        yield from frame.iter_slices(rows) if len(frame) else [frame]


def _scan(path: Path) -> pl.LazyFrame:
    import polars as pl

    if path.suffix.lower() == ".csv":
        return pl.scan_csv(path, infer_schema=False, glob=False)
    return pl.scan_parquet(path, glob=False) if path.suffix.lower() == ".parquet" else pl.scan_ndjson(path)


def _csv_frames(path: Path, wanted: list[str]) -> Iterator[pl.DataFrame]:
    """Give the records of one block of the file after the other, each read below the header."""
    import polars as pl

    def records(text: bytes) -> pl.DataFrame:
        return pl.read_csv(header + text, infer_schema=False, columns=wanted).select(wanted)

    with path.open("rb") as file:
        header = _header(file)
        pending, quoted, given = list[bytes](), False, False
        while block := file.read(_BLOCK):
            end, quoted = _end_of_records(block, quoted)
            if end:
                yield records(b"".join([*pending, block[:end]]))
                pending, given = [], True
            pending.append(block[end:])
        left = b"".join(pending)
        if left or not given:
            yield records(left)


def _header(lines: Iterator[bytes]) -> bytes:
    """Take the first record, which has several lines where a name has."""
    header = b""
    for line in lines:
        header += line
        if header.count(_QUOTE) % 2 == 0:
            break
    return header if header.endswith(b"\n") else header + b"\n"


def _end_of_records(block: bytes, quoted: bool) -> tuple[int, bool]:
    """Give where whole records end, 0 if none does, and whether a quote is open at the end of the block.

    A record ends at a line end that no open quote contains; `quoted` says whether one is open at the start.
    """
    each = np.frombuffer(block, dtype=np.uint8)
    inside = np.logical_xor.accumulate(each == _QUOTE) ^ quoted
    ends = np.flatnonzero((each == _NEWLINE) & ~inside)
    return (int(ends[-1]) + 1 if len(ends) else 0), bool(inside[-1])
