"""One cell of the benchmark: a method, a test situation, a seed, and how good it was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score
from torch import Tensor

from qmf.benchmark.conditions import Condition
from qmf.benchmark.methods import Method
from qmf.benchmark.part import Part
from qmf.metrics import (
    accuracy,
    area_under_risk_coverage,
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    sample_loss,
    weight_loss_correlation,
)
from qmf.theory.quantities import bounded_loss, covariance, on_simplex
from qmf.types import FusionOutput

__all__ = ["cell_row", "sample_arrays"]


def cell_row(
    method: type[Method], name: str, condition: Condition, seed: int, output: FusionOutput, part: Part
) -> dict[str, Any]:
    """Give all metrics of one cell.

    Parameters
    ----------
    method : type of Method
        Says whether its weights mean anything.
    name : str
        What it is called in the results.
    condition : Condition
        The test situation.
    seed : int
        The seed.
    output : FusionOutput
        For the test samples.
    part : Part
        The test samples.

    Returns
    -------
    dict
        A flat row: ``accuracy``, ``balanced_accuracy``, ``macro_f1``, ``nll``, ``brier``, ``ece``, ``aurc``, and by
        modality ``accuracy:NAME``, ``correlation:NAME``, ``covariance:NAME`` (of weights on the simplex with bounded
        losses, see `qmf.theory`), ``weight_intact:NAME``, ``weight_damaged:NAME``.
    """
    p, y = probabilities(output.logits), part.target
    row: dict[str, Any] = {
        "method": name,
        "condition": condition.name,
        "family": condition.family or condition.name,
        "severity": condition.severity,
        "missing": ", ".join(condition.missing),
        "in_suite": condition.in_suite,
        "seed": seed,
        "samples": len(y),
        "accuracy": accuracy(p, y),
        "balanced_accuracy": float(balanced_accuracy_score(y, p.argmax(axis=1))),
        "macro_f1": float(f1_score(y, p.argmax(axis=1), average="macro", zero_division=0)),
        "nll": negative_log_likelihood(p, y),
        "brier": brier_score(p, y),
        "ece": expected_calibration_error(p, y),
        "aurc": area_under_risk_coverage(p, y),
    }
    return row | _of_modalities(method, output, part)


def _of_modalities(method: type[Method], output: FusionOutput, part: Part) -> dict[str, float]:
    each, w = probabilities(output.unimodal_logits), output.weights.numpy()
    simplex = on_simplex(w, part.present)
    row: dict[str, float] = {}
    for m, name in enumerate(part.features):
        there, hit = part.present[:, m], part.damaged[:, m] & part.present[:, m]
        row[f"accuracy:{name}"] = accuracy(each[there, m], part.target[there]) if method.weighs else float("nan")
        loss = sample_loss(each[there, m], part.target[there])
        row[f"correlation:{name}"] = weight_loss_correlation(w[there, m], loss) if method.weighs else float("nan")
        cost = bounded_loss(each[there, m, part.target[there]], each.shape[2])
        term = covariance(simplex[there, m], cost) * there.mean()  # what is absent counts with its mean loss
        row[f"covariance:{name}"] = float(term) if method.weighs else float("nan")
        row[f"weight_intact:{name}"] = _mean(w[there & ~hit, m])
        row[f"weight_damaged:{name}"] = _mean(w[hit, m])
    return row


def sample_arrays(output: FusionOutput, part: Part) -> dict[str, NDArray[Any]]:
    """Give what the report draws sample by sample: confidence, correctness, weights, unimodal losses, damage."""
    p, y = probabilities(output.logits), part.target
    each = probabilities(output.unimodal_logits)
    loss = np.stack([sample_loss(each[:, m], y) for m in range(each.shape[1])], axis=1)
    return {
        "confidence": p.max(axis=1).astype(np.float32),
        "predicted": p.argmax(axis=1).astype(np.int32),
        "target": y.astype(np.int32),
        "weights": output.weights.numpy().astype(np.float32),
        "loss": np.where(part.present, loss, np.nan).astype(np.float32),
        "damaged": part.damaged,
        "present": part.present,
    }


def probabilities(logits: Tensor) -> NDArray[np.float64]:
    """Give the softmax of logits in float64."""
    result: NDArray[np.float64] = logits.double().softmax(dim=-1).numpy()
    return result


def _mean(x: NDArray[Any]) -> float:
    return float(x.mean()) if len(x) else float("nan")
