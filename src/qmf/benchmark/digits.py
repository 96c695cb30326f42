"""Spoken and written digits: pairs of one class from the Free Spoken Digit Dataset and MNIST."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qmf.data import Samples
from qmf.errors import DataError
from qmf.randomness import keyed_generator

__all__ = ["load_digit_pairs"]


def load_digit_pairs(folder: Path) -> tuple[Samples, Samples]:
    """Pair each recording with a written digit of its class, none used twice.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``fsdd_logmel.npz`` (``logmel`` [N, 64, 32], ``label``, ``official_test``) and ``mnist_t10k.npz``
        (``image`` [N, 28, 28], ``label``).

    Returns
    -------
    training, test : Samples
        The official parts of the recordings; modalities "spoken" (2048 numbers) and "written" (784).

    Raises
    ------
    DataError
        If a file is not there.
    """
    for name in ("fsdd_logmel.npz", "mnist_t10k.npz"):
        if not (folder / name).is_file():
            raise DataError(f"{folder / name} does not exist: see data.where of the recipe.")
    with np.load(folder / "fsdd_logmel.npz", allow_pickle=False) as sounds:
        spoken = sounds["logmel"].astype(np.float32).reshape(len(sounds["label"]), -1)
        labels, is_test = sounds["label"].astype(np.int64), sounds["official_test"]
    with np.load(folder / "mnist_t10k.npz", allow_pickle=False) as pictures:
        written, written_labels = pictures["image"], pictures["label"].astype(np.int64)
    partner = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        theirs = keyed_generator(0, "pairs", int(label)).permutation(np.flatnonzero(written_labels == label))
        partner[mine] = theirs[: len(mine)]
    pixels = written[partner].reshape(len(labels), -1).astype(np.float32) / 255
    ids = np.array([f"digit-{i:04d}" for i in range(len(labels))])
    both = Samples({"spoken": spoken, "written": pixels}, np.ones((len(labels), 2), dtype=bool), ids, labels, "digits")
    return both.take(~is_test), both.take(is_test)
