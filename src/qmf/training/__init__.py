"""Training: one visible loop, checkpoints that lose nothing, batches by indexing."""

from __future__ import annotations

from qmf.training.batches import Batch, TensorBatches
from qmf.training.interruption import TrainingInterruptedError
from qmf.training.loop import TrainingResult, train
from qmf.training.mapped_storage import mapped_storage
from qmf.training.modality_dropout import dropout_rates, dropped_presence
from qmf.training.settings import TrainingSettings

__all__ = [
    "Batch",
    "TensorBatches",
    "TrainingInterruptedError",
    "TrainingResult",
    "TrainingSettings",
    "dropout_rates",
    "dropped_presence",
    "mapped_storage",
    "train",
]
