"""UPMC Food-101: dishes from photos and the titles of the web pages they were found on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from qmf.data import RawModality, RawSamples, holdout_split
from qmf.data.origin import Origin
from qmf.data.raw import file_or_absent
from qmf.datasets.counts import require_split, with_checked_count
from qmf.datasets.jsonl_splits import load_jsonl_split
from qmf.errors import DataError

__all__ = ["load_food101"]

_HELD_OUT = 5000 / 65101


def load_food101(root: str | Path, split: str, seed: int = 0) -> RawSamples:
    """Load one split of UPMC Food-101.

    Parameters
    ----------
    root : str or Path
        Holds either ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` (``id``, ``label``, ``text``, ``img``), as the
        official code prepares it; or what is downloaded: ``images/{train,test}/<class>/<file>.jpg`` and
        ``texts/{train,test}_titles.csv`` (file, title, class).
    split : {"train", "validation", "test"}
        60,101, 5,000 and 21,695 samples in the official preparation; a warning holds the numbers where they differ,
        as they may: of the download, 90,840 and 90,688 samples are also about.
    seed : int
        Key of the validation part (a share of each class of train) where only the download is there.

    Returns
    -------
    RawSamples
        Modalities image and text.

    Raises
    ------
    DataError
        If neither layout is found, or a file is damaged.
    ConfigError
        If there is no such split.

    References
    ----------
    Wang et al., Recipe Recognition with Large Multimodal Food Dataset, ICMEW 2015.
    """
    split, folder = require_split(split), Path(root)
    if (folder / "train.jsonl").exists():
        return with_checked_count("food101", split, load_jsonl_split(folder, split))
    samples = _download(folder, "test" if split == "test" else "train")
    if split != "test" and samples.labels is not None:
        codes = np.unique(samples.labels, return_inverse=True)[1].astype(np.int64)
        kept, held = holdout_split(codes, _HELD_OUT, seed)
        samples = samples.take(kept if split == "train" else held)
    return with_checked_count("food101", split, samples)


def _download(folder: Path, part: str) -> RawSamples:
    titles = folder / "texts" / f"{part}_titles.csv"
    if not titles.exists():
        raise DataError(f"{folder}: neither train.jsonl nor {titles.relative_to(folder)}: expected UPMC Food-101.")
    rows = _titles(titles)
    places = [f"images/{part}/{label}/{name}" for _, name, _, label in rows]
    modalities = {
        "image": RawModality("image", [file_or_absent(place, folder) for place in places]),
        "text": RawModality("text", [title if title.strip() else None for _, _, title, _ in rows]),
    }
    ids = np.array([f"{label}/{name}" for _, name, _, label in rows])
    origin = Origin(str(titles), lambda row: f"line {rows[row][0]}", ids=ids)
    return RawSamples(modalities, np.array([label for *_, label in rows]), origin)


def _titles(path: Path) -> list[tuple[int, str, str, str]]:
    """Give line, file, title and class of each row; commas in a title need no quotes."""
    rows, line = [], 1
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            for cells in reader:
                if cells:
                    rows.append((line, *_row(cells, f"{path}, line {line}")))
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"{path}, line {line}: not valid CSV: {error}; a quote may lack its end.") from error
    if not rows:
        raise DataError(f"{path}: no row; expected file, title, class in each line.")
    return rows


def _row(cells: list[str], place: str) -> tuple[str, str, str]:
    if len(cells) < 3:
        raise DataError(f"{place}: {len(cells)} cells; expected file, title, class.")
    name, title, label = cells[0].strip(), ",".join(cells[1:-1]), cells[-1].strip()
    if not name or not label:
        raise DataError(f"{place}: no {'class' if name else 'file'}; expected file, title, class.")
    return name, title, label
