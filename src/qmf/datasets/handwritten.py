"""UCI "Multiple Features": 2000 handwritten digits, each described in six ways."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qmf.data import Samples
from qmf.errors import ConfigError
from qmf.randomness import keyed_generator

__all__ = ["HANDWRITTEN_CITATION", "load_handwritten"]

HANDWRITTEN_CITATION = (
    "Duin, R. (1998). Multiple Features [Data set]. UCI Machine Learning Repository."
    " https://doi.org/10.24432/C5HC70. Licensed under CC BY 4.0."
)

_VIEWS = ("fourier", "profile", "karhunen", "pixel", "zernike", "morphological")
_CLASSES = 10
_TRAIN_PER_CLASS = 160


def load_handwritten(split: Literal["train", "test"] | None = None, *, seed: int = 0) -> Samples:
    """Give 2000 handwritten digits in six views.

    The views, with their number of features: ``fourier`` 76 (Fourier coefficients of the shape), ``profile`` 216
    (profile correlations), ``karhunen`` 64 (Karhunen-Loève coefficients), ``pixel`` 240 (averages of 2 x 3 pixels),
    ``zernike`` 47 (Zernike moments), ``morphological`` 6.

    Parameters
    ----------
    split : {"train", "test"}, optional
        160 or 40 samples of each class; by default all 200.
    seed : int, default 0
        Key of the split: the two parts of one seed share no sample.

    Returns
    -------
    Samples
        1600, 400 or 2000 samples, every view present, ids "digit-0000" to "digit-1999", labels 0 to 9.

    Raises
    ------
    ConfigError
        If `split` is anything else.

    References
    ----------
    Duin, R. (1998). Multiple Features. UCI Machine Learning Repository. https://doi.org/10.24432/C5HC70 (CC BY 4.0).

    Examples
    --------
    >>> digits = load_handwritten("test")
    >>> len(digits), digits.modalities[0], digits.features["fourier"].shape
    (400, 'fourier', (400, 76))
    """
    if split not in ("train", "test", None):
        raise ConfigError(f"split={split!r}: expected 'train', 'test' or None for all samples.")
    with (files("qmf.datasets") / "handwritten.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        # Digits and number of decimals are kept apart; their quotient is the double nearest to what was published.
        features = {
            name: (stored[f"{name}_digits"] / 10.0 ** stored[f"{name}_decimals"]).T.astype(np.float32, order="C")
            for name in _VIEWS
        }
        labels = stored["labels"].astype(np.int64)
    ids = np.array([f"digit-{i:04d}" for i in range(len(labels))])
    digits = Samples(features, np.ones((len(labels), len(_VIEWS)), dtype=bool), ids, labels, "handwritten")
    return digits if split is None else digits.take(_part(labels, split, seed))


def _part(labels: NDArray[np.int64], split: Literal["train", "test"], seed: int) -> NDArray[np.int64]:
    trained = np.zeros(len(labels), dtype=bool)
    for label in range(_CLASSES):
        shuffled = keyed_generator(seed, "handwritten", label).permutation(np.flatnonzero(labels == label))
        trained[shuffled[:_TRAIN_PER_CLASS]] = True
    return np.flatnonzero(trained if split == "train" else ~trained)
