"""Gas sensors that age: trained on the first months, tested on later ones. Nothing is simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qmf.data import Samples
from qmf.errors import DataError

__all__ = ["load_gas_drift"]

_GROUPS = 4
_TRAINED, _TESTED = (1, 2, 3), (6, 8, 9)


def load_gas_drift(folder: Path) -> tuple[Samples, Samples]:
    """Load the 16 sensors as four groups of four.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``gas_drift.npz`` (``X`` [N, 128], eight features of each sensor in turn; ``label``; ``batch``).

    Returns
    -------
    training, test : Samples
        Batches 1 to 3; batches 6, 8 and 9.

    Raises
    ------
    DataError
        If the file is not there.

    References
    ----------
    Vergara et al., Chemical gas sensor drift compensation using classifier ensembles, Sensors and Actuators B, 2012;
    UCI Machine Learning Repository, Gas Sensor Array Drift (CC BY 4.0).
    """
    path = folder / "gas_drift.npz"
    if not path.is_file():
        raise DataError(f"{path} does not exist: see data.where of the recipe.")
    with np.load(path, allow_pickle=False) as stored:
        x, labels, batch = stored["X"].astype(np.float32), stored["label"].astype(np.int64), stored["batch"]
    width = x.shape[1] // _GROUPS
    features = {f"sensors {4 * g + 1}-{4 * g + 4}": x[:, g * width : (g + 1) * width] for g in range(_GROUPS)}
    ids = np.array([f"sample-{i:05d}" for i in range(len(labels))])
    whole = Samples(features, np.ones((len(labels), _GROUPS), dtype=bool), ids, labels, "gas_drift")
    return whole.take(np.isin(batch, _TRAINED)), whole.take(np.isin(batch, _TESTED))
