"""From files, data frames and arrays to `Samples`, with nothing filled, dropped or repaired on the way."""

from __future__ import annotations

from qmf.data.matching import encode_labels, holdout_split, match_modalities
from qmf.data.reading import read_samples
from qmf.data.samples import Samples, from_arrays
from qmf.data.schema import DataSchema, ModalityColumns

__all__ = [
    "DataSchema",
    "ModalityColumns",
    "Samples",
    "encode_labels",
    "from_arrays",
    "holdout_split",
    "match_modalities",
    "read_samples",
]
