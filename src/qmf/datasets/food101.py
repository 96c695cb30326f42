"""UPMC Food-101: dishes from photos and the titles of the web pages they were found on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from qmf.data import RawModality, RawSamples, holdout_split
from qmf.data.origin import Origin
from qmf.datasets.counts import require_split, with_checked_count
from qmf.datasets.mvsa import jsonl_split
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
        60,101, 5,000 and 21,695 samples in the official preparation; a warning holds the numbers where they differ.
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
        return with_checked_count("food101", split, jsonl_split(folder, split))
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
    ids, labels, texts, images = [], [], [], []
    with titles.open(encoding="utf-8", errors="replace", newline="") as file:
        for line, cells in enumerate(csv.reader(file), start=1):
            if len(cells) < 3:
                raise DataError(f"{titles}, line {line}: {len(cells)} cells; expected file, title, class.")
            name, title, label = cells[0], ",".join(cells[1:-1]), cells[-1]
            path = folder / "images" / part / label / name
            ids.append(f"{label}/{name}")
            labels.append(label)
            texts.append(title if title.strip() else None)
            images.append(path if path.exists() else None)
    modalities = {"image": RawModality("image", images), "text": RawModality("text", texts)}
    return RawSamples(modalities, np.array(labels), Origin(str(titles), "line {}".format, ids=np.array(ids)))
