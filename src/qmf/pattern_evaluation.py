"""A classifier on labelled samples, as they are and with every combination of modalities absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qmf.corruptions import missing_patterns
from qmf.data import encode_labels
from qmf.evaluation import evaluate_prediction, evaluate_sets

if TYPE_CHECKING:
    from qmf.answering import AnsweringMixin
    from qmf.data import RawSamples, Samples

__all__ = ["evaluate_classifier", "evaluate_patterns"]


def evaluate_classifier(
    classifier: AnsweringMixin, samples: Samples | RawSamples, *, risk: float | None = None
) -> dict[str, Any]:
    """Evaluate a classifier.

    Parameters
    ----------
    classifier : AnsweringMixin
        Fitted, loaded or exported.
    samples : Samples or RawSamples
        Labelled; best from ``classifier.prepare``, so that they are encoded once.
    risk : float, optional
        As in ``classifier.predict_full``.

    Returns
    -------
    dict
        What `evaluate_prediction` gives; and where the classifier is calibrated, ``sets``: what `evaluate_sets` gives
        about 90 % sets, for "lac" and "aps".

    Raises
    ------
    DataError
        If the samples have no labels or one was not there in training.
    ConfigError
        If `risk` is given and the classifier is not calibrated.
    """
    target = encode_labels(samples, classifier.classes_)
    prediction = classifier.predict_full(samples, risk=risk)
    result = evaluate_prediction(prediction, target)
    if classifier.calibration_ is not None:
        sets = {method: classifier.predict_set(prediction, method=method) for method in ("lac", "aps")}
        result["sets"] = {method: evaluate_sets(given, target) for method, given in sets.items()}
    return result


def evaluate_patterns(
    classifier: AnsweringMixin, samples: Samples, *, risk: float | None = None
) -> dict[str, dict[str, Any]]:
    """Evaluate a classifier on what is left when modalities go.

    Parameters
    ----------
    classifier : AnsweringMixin
        Fitted, loaded or exported.
    samples : Samples
        Labelled, from ``classifier.prepare``: encoded once for all patterns.
    risk : float, optional
        As in `evaluate_classifier`.

    Returns
    -------
    dict of str to dict
        For every non-empty combination of modalities, joined by "+", the full one first: what
        `evaluate_classifier` gives, over the samples that have one of them (their number is ``num_samples``).

    Raises
    ------
    DataError, ConfigError
        As `evaluate_classifier`.
    """
    results: dict[str, dict[str, Any]] = {}
    for pattern in missing_patterns(classifier.modalities_):
        kept = np.array([name in pattern for name in samples.modalities])
        rows = np.flatnonzero((samples.present & kept).any(axis=1))
        if len(rows):
            left = samples.take(rows).without(*(name for name in samples.modalities if name not in pattern))
            results["+".join(pattern)] = evaluate_classifier(classifier, left, risk=risk)
    return results
