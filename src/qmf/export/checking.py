"""Whether what was exported is the classifier it came from: on real samples, in every pattern of modalities."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from qmf.calibration import patterns_to_calibrate
from qmf.data import Samples
from qmf.errors import RunError
from qmf.estimator import QMFClassifier

__all__ = ["TOLERANCE", "Checked", "check_outputs"]

TOLERANCE = 1e-4
"""Largest difference of any output, relative to its size where that is above 1."""

_SAMPLES = 64  # of each pattern

Outputs = Mapping[str, NDArray[np.floating]]


class Checked:
    """What was compared.

    Attributes
    ----------
    samples, patterns : int
        How many samples, each in how many patterns of modalities (as far as it has them).
    difference : float
        The largest, relative to the size of the number where that is above 1.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.patterns = 0
        self.difference = 0.0


def check_outputs(
    run: Callable[[list[NDArray[np.floating]], NDArray[np.bool_]], Outputs],
    classifier: QMFClassifier,
    samples: Samples,
) -> Checked:
    """Compare an exported graph with the classifier.

    Parameters
    ----------
    run : callable
        The graph: from M arrays [N, D_m] and `present` [N, M] to its outputs by name.
    classifier : QMFClassifier
        What it was exported from; it computes in float64.
    samples : Samples
        Real ones, with the modalities of training.

    Returns
    -------
    Checked
        What was compared.

    Raises
    ------
    RunError
        If an output differs by more than `TOLERANCE`: its name, by how much, and for which modalities.
    """
    checked = Checked()
    checked.samples = min(len(samples), _SAMPLES)
    few = samples.take(np.linspace(0, len(samples) - 1, checked.samples).round().astype(np.intp))
    for kept in patterns_to_calibrate(few.present):
        rows = few.take(np.flatnonzero((few.present & kept).any(axis=1)))
        if not len(rows):
            continue
        names = [name for name, there in zip(samples.modalities, kept, strict=True) if there]
        part = rows.without(*(name for name in samples.modalities if name not in names))
        given = run([part.features[name] for name in samples.modalities], part.present)
        wanted = classifier._outputs(part)
        for name, value in {**wanted._asdict(), "probabilities": classifier.predict_proba(part)}.items():
            if name == "present":
                continue
            difference = _difference(given[name], value)
            if not difference <= TOLERANCE:
                raise RunError(
                    f"the exported graph is not the classifier: output {name!r} differs by {difference:.2g} (at most"
                    f" {TOLERANCE:g} allowed) where the modalities are {', '.join(names)}. Nothing was written."
                )
            checked.difference = max(checked.difference, difference)
        checked.patterns += 1
    return checked


def _difference(given: NDArray[np.floating], wanted: NDArray[np.floating]) -> float:
    """Give the largest difference, relative where above 1; infinite where one is NaN or infinite and the other not."""
    same = (given == wanted) | (np.isnan(given) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        relative = np.abs(given - wanted) / np.maximum(1.0, np.abs(wanted))
    relative[np.isnan(relative)] = np.inf
    return float(relative[~same].max(initial=0.0))
