"""From raw samples (paths, texts, cells) to the vectors a model takes; fitted on training data, kept in the model."""

from __future__ import annotations

from qmf.preparation.augmentation import damaged_copies, vectors_as_raw, with_copies
from qmf.preparation.damage import Damage, damaged
from qmf.preparation.preparation import Preparation, Problem, listed
from qmf.preparation.progress import encoding_progress
from qmf.preparation.spec import ModalitySpec

__all__ = [
    "Damage",
    "ModalitySpec",
    "Preparation",
    "Problem",
    "damaged",
    "damaged_copies",
    "encoding_progress",
    "listed",
    "vectors_as_raw",
    "with_copies",
]
