"""How good a prediction is: fused, per modality, and whether the weights follow the losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.metrics import (
    accuracy,
    expected_calibration_error,
    negative_log_likelihood,
    sample_loss,
    weight_loss_correlation,
)
from qmf.types import Prediction, PredictionSets

__all__ = ["evaluate_prediction", "evaluate_sets"]


def evaluate_prediction(prediction: Prediction, target: NDArray[np.int64]) -> dict[str, Any]:
    """Compare a prediction with the truth.

    Parameters
    ----------
    prediction : Prediction
        Of N samples.
    target : ndarray [N], int64
        True classes, as positions in ``prediction.classes``.

    Returns
    -------
    dict
        ``num_samples``; ``accuracy``, ``nll`` and ``ece`` of the fused output; ``withheld``: number of samples by the
        reason why they are not answered; ``accuracy_answered``: of the others; ``per_modality``: accuracy, nll and ece
        of each modality over the samples that have it, with their number ``present``; ``weights_mean`` and
        ``weight_loss_correlation`` of each modality over those samples. NaN where something is not defined.

    References
    ----------
    QMF (Zhang et al., ICML 2023), Theorem 2: the correlation should be at or below 0.
    """
    per_modality: dict[str, dict[str, float]] = {}
    weights_mean: dict[str, float] = {}
    correlation: dict[str, float] = {}
    for m, name in enumerate(prediction.modalities):
        there = prediction.present[:, m]
        p, y = prediction.unimodal_probabilities[there, m], target[there]
        w = prediction.weights[there, m]
        per_modality[name] = {**_scores(p, y), "present": int(there.sum())}
        weights_mean[name] = float(w.mean()) if len(w) else float("nan")
        correlation[name] = weight_loss_correlation(w, sample_loss(p, y))
    answered = ~prediction.abstain
    withheld = np.unique(prediction.abstain_reason[prediction.abstain], return_counts=True)
    return {
        "num_samples": len(target),
        **_scores(prediction.probabilities, target),
        "withheld": {str(reason): int(n) for reason, n in zip(*withheld, strict=True)},
        "accuracy_answered": accuracy(prediction.probabilities[answered], target[answered]),
        "per_modality": per_modality,
        "weights_mean": weights_mean,
        "weight_loss_correlation": correlation,
    }


def evaluate_sets(sets: PredictionSets, target: NDArray[np.int64]) -> dict[str, float]:
    """Compare sets of classes with the truth.

    Parameters
    ----------
    sets : PredictionSets
        Of N samples.
    target : ndarray [N], int64
        True classes, as positions in ``sets.classes``.

    Returns
    -------
    dict
        Over the samples whose sets are valid, ``num_valid`` in number: ``coverage``, the share of sets that hold the
        true class, which should be ``1 - alpha``; ``mean_size``; ``empty``, the share of sets without any class. NaN
        where there are none.
    """
    rows = np.flatnonzero(sets.valid)
    if not len(rows):
        return {"num_valid": 0, "coverage": float("nan"), "mean_size": float("nan"), "empty": float("nan")}
    return {
        "num_valid": len(rows),
        "coverage": float(sets.sets[rows, target[rows]].mean()),
        "mean_size": float(sets.sizes[rows].mean()),
        "empty": float((sets.sizes[rows] == 0).mean()),
    }


def _scores(probabilities: NDArray[np.float64], target: NDArray[np.int64]) -> dict[str, float]:
    return {
        "accuracy": accuracy(probabilities, target),
        "nll": negative_log_likelihood(probabilities, target),
        "ece": expected_calibration_error(probabilities, target),
    }
