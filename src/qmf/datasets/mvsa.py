"""MVSA-Single: the sentiment of tweets with a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qmf.data import RawSamples
from qmf.datasets.counts import require_split, with_checked_count
from qmf.datasets.jsonl_splits import load_jsonl_split
from qmf.errors import DataError

__all__ = ["load_mvsa"]

_LABELS = ("positive", "neutral", "negative")


def load_mvsa(root: str | Path, split: str, seed: int = 0) -> RawSamples:
    """Load one split of MVSA-Single.

    Parameters
    ----------
    root : str or Path
        Holds ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` with ``id``, ``label`` (positive, neutral, negative),
        ``text`` and ``img`` (a path below `root`), as the code of MMBT and QMF keeps it.
    split : {"train", "validation", "test"}
        1555, 518 and 519 tweets; a warning holds the numbers where they differ.
    seed : int
        Not used: the splits are official.

    Returns
    -------
    RawSamples
        Modalities image and text.

    Raises
    ------
    DataError
        If the file is missing, or a line is not as described.
    ConfigError
        If there is no such split.

    References
    ----------
    Niu et al., Sentiment Analysis on Multi-View Social Data, MMM 2016.
    """
    split = require_split(split)
    samples = load_jsonl_split(Path(root), split)
    labels = np.asarray(samples.labels).tolist()
    for row in (row for row, label in enumerate(labels) if label not in _LABELS):
        raise DataError(
            f"{samples.origin.place(row, None)}: label {labels[row]!r}; expected one of {', '.join(_LABELS)}. Other"
            " classes are read with `read_raw`."
        )
    return with_checked_count("mvsa", split, samples)
