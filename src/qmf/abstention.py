"""When an answer is not to be given, and why: pure functions on what a model gave.

Everything atypical: each modality that is there looks like nothing in the training data. Conflict: two modalities that
both look usual are both sure, of different classes, and nothing decides between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qmf.conformal import conformal_quantile

__all__ = [
    "ATYPICAL",
    "CONFLICT",
    "NOT_CALIBRATED",
    "STRONG",
    "UNCERTAIN",
    "abstain_reasons",
    "atypical_limit",
    "everything_atypical",
    "in_conflict",
    "least_evidence",
]

ATYPICAL = "everything atypical"
CONFLICT = "conflict"
UNCERTAIN = "too uncertain"
NOT_CALIBRATED = "not calibrated"

STRONG = float(np.log(20.0))  # "strong" evidence, 20 to 1
_SHARE = 0.01  # of usual samples that may be called atypical
_SURE = 0.5  # of its own class, for a modality's contradiction to count
_DECIDED = 2 / 3  # odds of two to one for the fused answer

FloatArray = NDArray[np.floating]


def least_evidence(evidence: FloatArray, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give, for each sample, the evidence against its most typical modality.

    Parameters
    ----------
    evidence : ndarray [N, M]
        That a modality is atypical: the logarithm of a Bayes factor, see `qmf.typicality`. NaN where it is not known.
    present : ndarray [N, M], bool
        True where a modality is there.

    Returns
    -------
    ndarray [N], float64
        The smallest over the modalities that are there; ``-inf`` where one of them is not known.

    Examples
    --------
    >>> least_evidence(np.array([[5.0, 2.0], [5.0, np.nan]]), np.ones((2, 2), dtype=bool))
    array([  2., -inf])
    """
    known = np.where(np.isnan(evidence), -np.inf, evidence)
    least: NDArray[np.float64] = np.where(present, known, np.inf).min(axis=1)
    return least


def atypical_limit(least: FloatArray) -> float:
    """Give the evidence above which everything counts as atypical.

    Parameters
    ----------
    least : ndarray [n]
        `least_evidence` of held-out samples.

    Returns
    -------
    float
        At least 0, so that the evidence speaks for it; and so large that a sample like those held out is above it with
        probability at most 0.01. With fewer than 99 of them that cannot be known: then evidence has to be strong.

    References
    ----------
    Bates et al., Testing for Outliers with Conformal p-values, Annals of Statistics 2023, section 1.2.
    Kass and Raftery, Bayes Factors, JASA 1995, section 3.2: 20 to 1 is strong.
    """
    limit = conformal_quantile(least, _SHARE)
    return max(0.0, limit) if np.isfinite(limit) else STRONG


def everything_atypical(
    evidence: FloatArray, present: NDArray[np.bool_], limit: FloatArray | float
) -> NDArray[np.bool_]:
    """Say of which samples every modality that is there is atypical.

    Parameters
    ----------
    evidence, present
        As in `least_evidence`.
    limit : ndarray [N] or float
        From `atypical_limit`.

    Returns
    -------
    ndarray [N], bool
        True where it is so.
    """
    above: NDArray[np.bool_] = least_evidence(evidence, present) > limit
    return above


def in_conflict(
    alone: FloatArray, evidence: FloatArray, present: NDArray[np.bool_], confidence: FloatArray
) -> NDArray[np.bool_]:
    """Say in which samples modalities contradict one another and nothing decides.

    Parameters
    ----------
    alone : ndarray [N, M, K]
        What each modality alone would say; whatever stands where it is absent is ignored.
    evidence, present
        As in `least_evidence`. A modality with evidence above 0 has no say; one of which nothing is known has.
    confidence : ndarray [N]
        Probability of the fused answer.

    Returns
    -------
    ndarray [N], bool
        True where two modalities give more than 1/2 to different classes, and the fused answer has less than 2/3.

    Examples
    --------
    One is sure of the first class, the other of the second:

    >>> alone, unknown, there = np.array([[[0.9, 0.1], [0.2, 0.8]]]), np.full((1, 2), np.nan), np.ones((1, 2), bool)
    >>> in_conflict(alone, unknown, there, np.array([0.6])), in_conflict(alone, unknown, there, np.array([0.9]))
    (array([ True]), array([False]))
    """
    heard = present & ~(evidence > 0)
    p = np.where(heard[..., None], alone, 0.0)
    sure, answer = p.max(axis=2) > _SURE, p.argmax(axis=2)
    highest = np.where(sure, answer, -1).max(axis=1)
    lowest = np.where(sure, answer, alone.shape[2]).min(axis=1)
    contradicted: NDArray[np.bool_] = sure.any(axis=1) & (highest != lowest) & (confidence < _DECIDED)
    return contradicted


def abstain_reasons(
    alone: FloatArray,
    evidence: FloatArray,
    present: NDArray[np.bool_],
    confidence: FloatArray,
    *,
    limit: FloatArray | float = STRONG,
    required: FloatArray | None = None,
) -> NDArray[np.str_]:
    """Say for each sample why its answer is not to be given.

    Parameters
    ----------
    alone, evidence, present, confidence
        As in `in_conflict`.
    limit : ndarray [N] or float
        As in `everything_atypical`.
    required : ndarray [N], optional
        Confidence from which on the sample is answered; NaN where it is not known. By default there is no risk target,
        and uncertainty alone is no reason.

    Returns
    -------
    ndarray [N] of str
        The first that holds of "everything atypical", "conflict", "not calibrated" (for this combination of modalities;
        only with a risk target) and "too uncertain"; empty where the answer is given.
    """
    needed = np.zeros(len(confidence)) if required is None else required
    reasons = {
        ATYPICAL: everything_atypical(evidence, present, limit),
        CONFLICT: in_conflict(alone, evidence, present, confidence),
        NOT_CALIBRATED: np.isnan(needed),
        UNCERTAIN: confidence < needed,
    }
    return np.select(list(reasons.values()), list(reasons), default="")
