"""What held-out samples say about a fused classifier, for each combination of modalities that a sample may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.abstention import STRONG
from qmf.calibration.patterns import pattern_positions
from qmf.conformal import aps_scores, conformal_quantile, lac_scores, prediction_sets
from qmf.errors import ConfigError
from qmf.randomness import derive_seed
from qmf.selective import risk_threshold

__all__ = ["PatternCalibration", "uniform_draws"]

FloatArray = NDArray[np.floating]
_ARRAYS = ("patterns", "temperature", "atypical", "lac", "aps", "confidence", "correct")


def uniform_draws(seed: int, purpose: str, ids: NDArray[np.str_]) -> NDArray[np.float64]:
    """Give a number in [0, 1) for each sample [N], which belongs to (seed, purpose, sample id) alone."""
    return np.array([derive_seed(seed, purpose, key) for key in ids.tolist()], dtype=np.float64) * 2.0**-63


@dataclass(frozen=True)
class PatternCalibration:
    """Temperatures and held-out scores of P patterns of availability, from n held-out samples.

    A held-out sample counts in every pattern whose modalities it has: it is asked about with the others taken away.

    Attributes
    ----------
    patterns : ndarray [P, M], bool
        Modalities that are there. A pattern with fewer than 50 held-out samples is not among them.
    temperature : ndarray [P]
        What fused logits are divided by.
    atypical : ndarray [P]
        Evidence above which everything is atypical, see `qmf.abstention.atypical_limit`.
    lac, aps : ndarray [P, n]
        Scores of the true class, see `qmf.conformal`; NaN where a sample lacks a modality of the pattern.
    confidence : ndarray [P, n]
        Probability of the fused answer; ``-inf`` where it is withheld at any confidence, NaN as above.
    correct : ndarray [P, n], bool
        Whether the fused answer is right.
    seed : int
        Key of the draws of APS.
    """

    patterns: NDArray[np.bool_]
    temperature: NDArray[np.float64]
    atypical: NDArray[np.float64]
    lac: NDArray[np.float64]
    aps: NDArray[np.float64]
    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]
    seed: int

    @property
    def counts(self) -> NDArray[np.intp]:
        """Held-out samples of each pattern, [P]."""
        counts: NDArray[np.intp] = (~np.isnan(self.lac)).sum(axis=1)
        return counts

    def positions(self, present: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Give the position of each sample's pattern [N] from `present` [N, M]; -1 where it is not calibrated."""
        return pattern_positions(self.patterns, present)

    def temperatures(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Give what each sample's logits are divided by, [N]; 1 where its pattern is not calibrated."""
        return np.append(self.temperature, 1.0)[self.positions(present)]

    def atypical_limits(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Give the evidence above which each sample is atypical, [N]; strong where its pattern is not known."""
        return np.append(self.atypical, STRONG)[self.positions(present)]

    def sets(
        self,
        probabilities: FloatArray,
        present: NDArray[np.bool_],
        ids: NDArray[np.str_],
        *,
        alpha: float = 0.1,
        method: str = "lac",
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Give sets of classes that hold the true one with probability ``1 - alpha``, in each pattern.

        Parameters
        ----------
        probabilities : ndarray [N, K]
            Calibrated.
        present : ndarray [N, M], bool
            True where a modality is there.
        ids : ndarray [N] of str
            Sample ids: key of the draws of APS.
        alpha : float in (0, 1)
            Share of sets that may miss the true class.
        method : {"lac", "aps"}
            See `qmf.conformal`.

        Returns
        -------
        sets : ndarray [N, K], bool
            True where the class is in the set; everywhere where nothing can be promised.
        valid : ndarray [N], bool
            False where the sample's pattern is not calibrated.

        Raises
        ------
        ConfigError
            If `alpha` is out of range or `method` is unknown.
        """
        if method == "lac":
            scores, held_out = lac_scores(probabilities), self.lac
        elif method == "aps":
            scores, held_out = aps_scores(probabilities, uniform_draws(self.seed, "aps", ids)), self.aps
        else:
            raise ConfigError(f"method={method!r} does not exist; expected 'lac' or 'aps'.")
        quantiles = np.array([conformal_quantile(row[~np.isnan(row)], alpha) for row in held_out])
        group = self.positions(present)
        return prediction_sets(scores, group, quantiles), group >= 0

    def required(self, risk: float, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Give the confidence from which on each sample is answered so that at most a share of answers is wrong.

        Parameters
        ----------
        risk : float in (0, 1)
            That share, in each pattern; see `qmf.selective.risk_threshold`.
        present : ndarray [N, M], bool
            True where a modality is there.

        Returns
        -------
        ndarray [N]
            Infinite where no threshold can be promised, NaN where the pattern is not calibrated.

        Raises
        ------
        ConfigError
            If `risk` is out of range.
        """
        group = self.positions(present)
        thresholds = np.full(len(self.patterns) + 1, np.nan)  # -1 is the last one
        for position in np.unique(group[group >= 0]):
            there = ~np.isnan(self.confidence[position])
            confidence, correct = self.confidence[position, there], self.correct[position, there]
            thresholds[position] = risk_threshold(confidence, correct, risk)
        return thresholds[group]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything but the seed as named arrays, to be kept in a file."""
        return {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], seed: int) -> PatternCalibration:
        """Give what `to_arrays` was made from; a `KeyError` names what is missing."""
        return cls(**{name: arrays[name] for name in _ARRAYS}, seed=seed)
