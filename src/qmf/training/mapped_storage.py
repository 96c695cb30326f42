"""Sums and counts of a history in files that memory maps: for histories that memory cannot hold."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from qmf.errors import DataError

__all__ = ["mapped_storage"]

_BYTES = 4  # of a float32 or int32


def mapped_storage(folder: Path, num_samples: int, num_modalities: int) -> tuple[Tensor, Tensor]:
    """Open the files ``history.total`` and ``history.count`` in a folder, or make them, sparse and all 0.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.
    num_samples, num_modalities : int
        N and M.

    Returns
    -------
    total : Tensor [N, M], float32
    count : Tensor [N, M], int32
        For `qmf.LossHistory(N, M, storage=...)`. What is written to them is in the files: who saves a run keeps copies
        of the files beside it, made at the same moment, or samples would count twice after a resume.

    Raises
    ------
    DataError
        If a file is there that is not of this size.

    Examples
    --------
    >>> import tempfile
    >>> from qmf.history import LossHistory
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = LossHistory(1000, 2, storage=mapped_storage(Path(folder), 1000, 2))
    >>> history.total.shape
    torch.Size([1000, 2])
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape, numbers = (num_samples, num_modalities), num_samples * num_modalities
    opened = []
    for name, dtype in (("total", torch.float32), ("count", torch.int32)):
        path = folder / f"history.{name}"
        if path.exists() and path.stat().st_size != _BYTES * numbers:
            raise DataError(
                f"{path} has {path.stat().st_size} bytes; a history of {num_samples} samples and {num_modalities}"
                f" modalities has {_BYTES * numbers}: it is of another data set."
            )
        opened.append(torch.from_file(str(path), shared=True, size=numbers, dtype=dtype).view(shape))
    return opened[0], opened[1]
