"""Samples in files that memory maps: more of them than memory holds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data.samples import Samples
from qmf.data.written_labels import LabelCodes
from qmf.errors import DataError
from qmf.files import atomic_write_text

__all__ = ["open_samples", "store_samples"]

_INDEX = "index.json"  # written last: where it stands, all else is complete
_IDS_AT_A_TIME = 100_000


def open_samples(folder: Path, key: str) -> Samples | None:
    """Open what `store_samples` has written.

    Parameters
    ----------
    folder : pathlib.Path
        Where it was written.
    key : str
        What it was written under.

    Returns
    -------
    Samples
        Their features and ids stay on disk and are read where they are asked for. None if nothing was written there
        to the end, or under another key.
    """
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if index["key"] != key:
        return None
    n, widths = index["samples"], index["widths"]
    features: dict[str, NDArray[np.float32]] = {
        # Copy on write: what is read can be given to torch, and nothing changes the files.
        name: np.memmap(folder / f"{m}.f32", np.float32, "c", shape=(n, width))
        for m, (name, width) in enumerate(widths.items())
    }
    ids: Any = np.memmap(folder / "ids", np.dtype(("U", index["id_length"])), "c", shape=(n,))
    present = np.fromfile(folder / "present", np.bool_).reshape(n, len(widths))
    return Samples(features, present, ids, np.load(folder / "labels.npy"), index["source"])


def store_samples(parts: Iterable[Samples], folder: Path, key: str, *, written: bool, named: bool) -> Samples:
    """Write samples that come in parts, and open them.

    Parameters
    ----------
    parts : iterable of Samples
        Labelled, of the same modalities; at least one.
    folder : pathlib.Path
        Where to; what stands there is replaced.
    key : str
        What they are written under, see `open_samples`.
    written : bool
        Whether labels are texts of which only all together tell whether they are integers.
    named : bool
        Whether an id may come twice, in two parts.

    Returns
    -------
    Samples
        As `open_samples` gives them: ``4 D`` bytes a sample stay on disk, a few tens are in memory.

    Raises
    ------
    DataError
        If a part has other modalities, widths or types of labels than the first; or an id comes twice.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows, widths, codes, source = 0, dict[str, int](), LabelCodes(), ""
    with (folder / "present").open("wb") as present, (folder / "ids.jsonl").open("w", encoding="utf-8") as ids:
        for part in parts:
            found = {name: x.shape[1] for name, x in part.features.items()}
            widths, source = widths or found, source or part.source
            if found != widths:
                raise DataError(f"{part.source} has features {found}; expected {widths}, as in {source}.")
            for m, x in enumerate(part.features.values()):
                with (folder / f"{m}.f32").open("ab") as file:
                    np.ascontiguousarray(x, dtype=np.float32).tofile(file)
            np.ascontiguousarray(part.present).tofile(present)
            ids.writelines(json.dumps(sample) + "\n" for sample in part.ids.tolist())
            codes.add(part)
            rows += len(part)
    np.save(folder / "labels.npy", codes.labels(written=written))
    length = _write_ids(folder, rows, source, named=named)
    index = {"key": key, "samples": rows, "widths": widths, "id_length": length, "source": source}
    atomic_write_text(folder / _INDEX, json.dumps(index) + "\n")
    samples = open_samples(folder, key)
    assert samples is not None
    return samples


def _write_ids(folder: Path, n: int, source: str, *, named: bool) -> int:
    """Write ids in places of one length, which is known now; give it."""
    length = max(max(map(len, ids)) for ids in _ids(folder))
    table: Any = np.memmap(folder / "ids", np.dtype(("U", length)), "w+", shape=(n,))
    hashes, first = np.empty(n if named else 0, dtype=np.uint64), 0
    for ids in _ids(folder):
        rows = slice(first, first + len(ids))
        table[rows] = ids
        if named:
            hashes[rows] = _hashes(ids)
        first += len(ids)
    table.flush()
    (folder / "ids.jsonl").unlink()
    _refuse_twins(table, hashes, source)
    return length


def _ids(folder: Path) -> Iterator[list[str]]:
    with (folder / "ids.jsonl").open(encoding="utf-8") as lines:
        while ids := [json.loads(line) for _, line in zip(range(_IDS_AT_A_TIME), lines, strict=False)]:
            yield ids


def _hashes(ids: list[str]) -> NDArray[np.uint64]:
    import polars as pl

    return pl.Series(ids, dtype=pl.String).hash().to_numpy()


def _refuse_twins(ids: NDArray[np.str_], hashes: NDArray[np.uint64], source: str) -> None:
    """Refuse an id that is there twice; hashes alone are in memory, and only equal ones are looked at."""
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    for first, second in zip(order[same].tolist(), order[same + 1].tolist(), strict=True):
        if ids[first] == ids[second]:
            raise DataError(
                f"{source}: the id {str(ids[first])!r} is there twice, in samples {first} and {second} (counted from 0"
                " over all parts). Ids must be unique."
            )
