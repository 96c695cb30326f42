"""From files, data frames and arrays to `Samples`, with nothing filled, dropped or repaired on the way."""

from __future__ import annotations

from qmf.data.matching import encode_labels, holdout_split, match_modalities
from qmf.data.memory import raw_from_memory, read_image_folder
from qmf.data.parts import SampleParts, read_in_parts
from qmf.data.raw import FILE_TYPES, TYPES, RawModality, RawSamples, Unreadable
from qmf.data.reading import read_parts, read_raw, read_samples, samples_of_vectors
from qmf.data.samples import Samples, from_arrays
from qmf.data.schema import DataSchema, ModalityColumns
from qmf.data.shards import shards_of
from qmf.data.stored import open_samples, store_samples

__all__ = [
    "FILE_TYPES",
    "TYPES",
    "DataSchema",
    "ModalityColumns",
    "RawModality",
    "RawSamples",
    "SampleParts",
    "Samples",
    "Unreadable",
    "encode_labels",
    "from_arrays",
    "holdout_split",
    "match_modalities",
    "open_samples",
    "raw_from_memory",
    "read_image_folder",
    "read_in_parts",
    "read_parts",
    "read_raw",
    "read_samples",
    "samples_of_vectors",
    "shards_of",
    "store_samples",
]
