"""Calibrating a fused classifier on held-out samples, pattern by pattern."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmf.abstention import abstain_reasons, atypical_limit, least_evidence
from qmf.calibration.pattern_calibration import PatternCalibration, uniform_draws
from qmf.calibration.patterns import patterns_to_calibrate
from qmf.calibration.temperature import best_temperature, left_out_temperatures
from qmf.conformal import aps_scores, lac_scores

__all__ = ["FEWEST", "Answers", "Ask", "calibrate_patterns"]

FEWEST = 50  # held-out samples of a pattern
_MOST = 5_000  # held-out samples altogether: more change a quantile by less than 0.5 points

FloatArray = NDArray[np.floating]


class Answers(NamedTuple):
    """What a model gives about n samples.

    Attributes
    ----------
    logits : ndarray [n, K]
        Fused.
    alone : ndarray [n, M, K]
        Probabilities of each modality on its own.
    evidence : ndarray [n, M]
        That it is atypical; NaN where that is not known.
    """

    logits: FloatArray
    alone: FloatArray
    evidence: FloatArray


Ask = Callable[[NDArray[np.bool_], NDArray[np.bool_]], Answers]
"""From which of n samples, and the modalities they keep [M], to what the model then gives about them."""


def calibrate_patterns(
    look: Callable[[NDArray[np.intp]], Ask],
    present: NDArray[np.bool_],
    target: NDArray[np.integer],
    ids: NDArray[np.str_],
    *,
    seed: int,
) -> PatternCalibration | None:
    """Calibrate each pattern of availability that has 50 held-out samples or more.

    Parameters
    ----------
    look : callable
        From positions of samples [n] to how the model is asked about them.
    present : ndarray [N, M], bool
        Of the held-out samples.
    target : ndarray [N], int
        Their classes.
    ids : ndarray [N] of str
        Their ids: draws belong to them, not to any order.
    seed : int
        Key of the draws.

    Returns
    -------
    PatternCalibration or None
        None where no pattern has enough samples.

    Notes
    -----
    A sample is asked about in every pattern whose modalities it has, with the others taken away: at most 5,000 samples,
    2^M - 1 patterns. The temperature that stays is fitted on all samples of a pattern; the score of a sample comes from
    the temperature of the others, so that no sample has a say in its own score.

    References
    ----------
    Barber et al., Predictive Inference with the Jackknife+, Annals of Statistics 2021 (scores of samples left out).
    """
    order = uniform_draws(seed, "held out", ids)
    rows = np.sort(np.argsort(order, kind="stable")[:_MOST])
    present, target, ids = present[rows], target[rows], ids[rows]
    u = uniform_draws(seed, "aps of held-out", ids)
    ask = look(rows)
    kept, found = [], []
    for pattern in patterns_to_calibrate(present):
        there: NDArray[np.bool_] = np.all(present[:, pattern], axis=1)
        if there.sum() < FEWEST:
            continue
        one = _calibrate(ask(there, pattern), pattern, target[there], u[there])
        kept.append(pattern)
        found.append({name: _spread(values, there) for name, values in one.items()})
    if not kept:
        return None
    arrays = {name: np.array([one[name] for one in found]) for name in found[0]}
    return PatternCalibration.from_arrays({"patterns": np.array(kept)} | arrays, seed)


def _calibrate(
    answers: Answers, pattern: NDArray[np.bool_], target: NDArray[np.integer], u: FloatArray
) -> dict[str, Any]:
    """Give, by name, what `PatternCalibration` keeps of one pattern: numbers, and arrays over its samples."""
    from scipy.special import softmax

    temperature = best_temperature(answers.logits, target)
    of_others = left_out_temperatures(answers.logits, target, temperature)
    p = softmax(answers.logits.astype(np.float64) / of_others[:, None], axis=1)
    rows, present = np.arange(len(target)), np.tile(pattern, (len(target), 1))
    limit = atypical_limit(least_evidence(answers.evidence, present))
    confidence = p.max(axis=1)
    withheld = abstain_reasons(answers.alone, answers.evidence, present, confidence, limit=limit) != ""
    return {
        "temperature": temperature,
        "atypical": limit,
        "lac": lac_scores(p)[rows, target],
        "aps": aps_scores(p, u)[rows, target],
        "confidence": np.where(withheld, -np.inf, confidence),
        "correct": answers.logits.argmax(axis=1) == target,
    }


def _spread(values: Any, there: NDArray[np.bool_]) -> NDArray[Any]:
    """Put the values of some samples into the places of all, with NaN or False elsewhere; one number stays as it is."""
    if np.ndim(values) == 0:
        return np.array(values)
    wide = np.zeros(len(there), dtype=bool) if values.dtype == bool else np.full(len(there), np.nan)
    wide[there] = values
    return wide
