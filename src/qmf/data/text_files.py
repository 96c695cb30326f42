"""Lines of CSV and JSONL files, as a person counts them in an editor: from 1, the header among them.

Polars reads these files; it does not say in which line something is wrong, and it fills rows that end early. What is
here goes through a file line by line only where there is reason to.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from qmf.data.origin import Origin, first_few
from qmf.errors import DataError

__all__ = [
    "csv_line_of_row",
    "jsonl_line_of_row",
    "refuse_broken_jsonl",
    "refuse_jsonl_text",
    "refuse_odd_csv_header",
    "refuse_ragged_csv",
]


def csv_line_of_row(path: Path, row: int) -> str:
    """Name the line in which a row of a CSV file begins; quoted cells may span several lines.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    row : int
        Position of the sample, 0 for the first one below the header.

    Returns
    -------
    str
        "line 7".
    """
    for i, (line, _) in enumerate(_csv_records(path)):
        if i == row + 1:
            return f"line {line}"
    return f"row {row}"


def jsonl_line_of_row(path: Path, row: int) -> str:
    """Name the line of a row of a JSONL file; blank lines hold no row.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    row : int
        Position of the sample.

    Returns
    -------
    str
        "line 7".
    """
    for i, (line, _) in enumerate(_jsonl_lines(path)):
        if i == row:
            return f"line {line}"
    return f"row {row}"


def refuse_odd_csv_header(path: Path) -> None:
    """Refuse a CSV file with two columns of one name.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    DataError
        If a name is there twice.
    """
    _, header = next(_csv_records(path), (1, []))
    twice = sorted({name for name in header if header.count(name) > 1}) if len(set(header)) < len(header) else []
    if twice:
        raise DataError(
            f"{path}, line 1: {first_few(map(repr, twice), len(twice))} names more than one column; column names"
            " must be unique."
        )


def refuse_ragged_csv(path: Path) -> None:
    """Refuse a CSV file in which a row has more or fewer cells than the header.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    DataError
        Naming the first such line.
    """
    records = _csv_records(path)
    _, header = next(records)
    for line, cells in records:
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(cells)} cells, but the header names {len(header)} columns. An empty cell"
                " needs its comma too, and a quote its end; the file may be cut off here."
            )


def refuse_broken_jsonl(path: Path) -> None:
    """Refuse a JSONL file with a line that is not a JSON object.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    DataError
        Naming the first such line.
    """
    for line, text in _jsonl_lines(path):
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: not valid JSON: {error}.") from error
        if not isinstance(value, dict):
            raise DataError(
                f'{path}, line {line}: expected one JSON object in each line, such as {{"a": 1}}; got a'
                f" {type(value).__name__}."
            )


def refuse_jsonl_text(path: Path, columns: Mapping[str, Sequence[str]], origin: Origin) -> None:
    """Refuse text where numbers belong, also text that looks like a number.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    columns : mapping of str to sequence of str
        For each modality, its columns that hold text somewhere.
    origin : Origin
        Where the samples came from.

    Raises
    ------
    DataError
        Naming the first text, if there are such columns.
    """
    suspects = [(modality, column) for modality, chosen in columns.items() for column in chosen]
    if not suspects:
        return
    for row, (_, text) in enumerate(_jsonl_lines(path)):
        cells = json.loads(text)
        for modality, column in suspects:
            found = _first_text(cells.get(column))
            if found is not None:
                raise DataError(
                    f"{origin.place(row, modality)}: column {column!r} holds the text {found!r} where a number belongs."
                    " Write numbers without quotes; nothing is converted from text."
                )


def _first_text(cell: Any) -> str | None:
    if isinstance(cell, list):
        return next((found for item in cell if (found := _first_text(item)) is not None), None)
    return cell if isinstance(cell, str) else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON; an empty cell is null, and infinite numbers are not accepted")


def _csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        line = 1
        try:
            for cells in reader:
                yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"{path}, line {line}: not valid CSV: {error}.") from error


def _jsonl_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                yield line, text
