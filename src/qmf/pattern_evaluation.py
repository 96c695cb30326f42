"""A classifier with every combination of modalities absent, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qmf.corruptions import missing_patterns
from qmf.data import encode_labels
from qmf.evaluation import evaluate_prediction

if TYPE_CHECKING:
    from qmf.data import Samples
    from qmf.estimator import QMFClassifier

__all__ = ["evaluate_patterns"]


def evaluate_patterns(classifier: QMFClassifier, samples: Samples) -> dict[str, dict[str, Any]]:
    """Evaluate a classifier on what is left when modalities go.

    Parameters
    ----------
    classifier : QMFClassifier
        Fitted.
    samples : Samples
        Labelled, from ``classifier.prepare``: encoded once for all patterns.

    Returns
    -------
    dict of str to dict
        For every non-empty combination of modalities, joined by "+", the full one first: what `evaluate_prediction`
        gives, over the samples that have one of them (their number is ``num_samples``).

    Raises
    ------
    DataError
        If the samples have no labels or one was not there in training.
    """
    results: dict[str, dict[str, Any]] = {}
    for pattern in missing_patterns(classifier.modalities_):
        kept = np.array([name in pattern for name in samples.modalities])
        rows = np.flatnonzero((samples.present & kept).any(axis=1))
        if len(rows):
            left = samples.take(rows).without(*(name for name in samples.modalities if name not in pattern))
            target = encode_labels(left, classifier.classes_)
            results["+".join(pattern)] = evaluate_prediction(classifier.predict_full(left), target)
    return results
