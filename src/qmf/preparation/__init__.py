"""From raw samples (paths, texts, cells) to the vectors a model takes; fitted on training data, kept in the model."""

from __future__ import annotations

from qmf.preparation.preparation import Preparation, Problem, listed
from qmf.preparation.progress import encoding_progress
from qmf.preparation.spec import ModalitySpec

__all__ = ["ModalitySpec", "Preparation", "Problem", "encoding_progress", "listed"]
