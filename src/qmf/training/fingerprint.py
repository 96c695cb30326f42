"""What tells runs of training apart, so that a checkpoint is only resumed on the run it belongs to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from qmf.fusion import QualityAwareFusion
from qmf.objective import QMFObjective
from qmf.training.batches import TensorBatches
from qmf.training.settings import TrainingSettings

__all__ = ["fingerprint"]


def fingerprint(
    settings: TrainingSettings,
    model: QualityAwareFusion,
    objective: QMFObjective,
    *data: TensorBatches | None,
) -> str:
    """Give a digest of all that shapes a run: settings, model, objective, samples and their order."""
    choices = (model, objective.choices, objective.lambda_, objective.pairs, objective.label_smoothing)
    hasher = hashlib.blake2b(json.dumps(asdict(settings), sort_keys=True).encode(), digest_size=16)
    hasher.update(repr(choices).encode())
    for part in data:
        if part is not None:
            hasher.update(repr([(name, tuple(x.shape), str(x.dtype)) for name, x in part.inputs.items()]).encode())
            hasher.update(repr(part.dropout).encode())
            rows = () if part.rows is None else (part.rows,)
            for tensor in (part.target, *rows, *part.inputs.values()):
                hasher.update(tensor.contiguous().numpy().data)
    return hasher.hexdigest()
