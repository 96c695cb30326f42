"""The certificate: all that Theorems 1 and 2 say about a fused classifier on held-out samples."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from qmf.theory.bootstrap import CovarianceTest
from qmf.theory.bound import Bound
from qmf.theory.complexity import Complexity
from qmf.theory.verdict import Verdict

__all__ = ["Certificate", "Fusion", "ModalityTerms"]


@dataclass(frozen=True)
class ModalityTerms:
    """What one modality adds to the bound.

    Attributes
    ----------
    name : str
        The modality.
    present : int
        Samples that have it.
    mean_weight, mean_loss : float
        ``E(w^m)`` over all samples, the mean of ``l^m`` over those that have it.
    test : CovarianceTest
        Of ``Cov(w^m, l^m)``.
    correlation : float
        Pearson's ``r(w^m, l^m)`` over the samples that have it; NaN where one does not vary.
    complexity : Complexity or None
        Of its head, in units of logits; None where the head is not linear.
    """

    name: str
    present: int
    mean_weight: float
    mean_loss: float
    test: CovarianceTest
    correlation: float
    complexity: Complexity | None


@dataclass(frozen=True)
class Fusion:
    """One way to weigh the same classifiers: its bound, and how it did on the samples.

    Attributes
    ----------
    bound : Bound
        Terms of Theorem 1.
    loss : float
        Mean of ``l(f)``, see `fused_loss`: never above ``weighted_loss + covariance``.
    accuracy : float
        Of f.
    """

    bound: Bound
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Certificate:
    """What Theorems 1 and 2 say about a fused classifier on N held-out samples.

    Attributes
    ----------
    verdict : Verdict
        Certified, not certified or harmful, and why.
    modalities : tuple of ModalityTerms
        One each.
    total : CovarianceTest
        Of Term-Cov.
    dynamic, matched_static, equal_static : Fusion
        With the weights of the samples; with their means for every sample; with the same weight for all that is there.
    away_from_equal : float
        Half the sum of ``|E(w^m) - equal weight|``: the share of weight that the means move, 0 to 1.
    samples, num_classes : int
        N and K.
    delta : float
        Chance that a bound or an interval fails.
    contraction : float
        What complexities of logits are multiplied by, see `contraction_factor`.
    loss_of_a_guess : float
        ``l`` of a uniform guess.
    answer_accuracy : float
        Of what the model answers; NaN if not given.
    answer_agreement : float
        Share of samples where f gives the label that the model answers; NaN if not given.
    """

    verdict: Verdict
    modalities: tuple[ModalityTerms, ...]
    total: CovarianceTest
    dynamic: Fusion
    matched_static: Fusion
    equal_static: Fusion
    away_from_equal: float
    samples: int
    num_classes: int
    delta: float
    contraction: float
    loss_of_a_guess: float
    answer_accuracy: float
    answer_agreement: float

    @property
    def fusions(self) -> dict[str, Fusion]:
        """The three ways to weigh, by name."""
        return {"dynamic": self.dynamic, "matched_static": self.matched_static, "equal_static": self.equal_static}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the certificate does not say: the gaps between the theorems and this model."""
        bound = self.dynamic.bound
        said = [
            f"Theorem 1 is stated for binary classification. Here the loss is a bounded cross-entropy of"
            f" {self.num_classes} classes, and complexities are multiplied by {self.contraction:.3f} (symmetrisation"
            " and vector contraction), where the binary case has 1.",
            "What is certified is f, the sum of weights on the simplex times log-probabilities." + self._answered(),
            "Theorem 2 compares bounds; it promises no accuracy.",
        ]
        if bound.theorem_1 >= 1:
            said.append(
                f"No loss is above 1, so the bound of Theorem 1, {bound.theorem_1:.3f}, says nothing by itself; the"
                f" held-out bound, {bound.held_out:.3f}, holds for a model that has not seen these samples."
            )
        lists = {
            "Term-C is not known, for these heads are not linear layers": [
                terms.name for terms in self.modalities if terms.complexity is None
            ],
            "Absent throughout, so without a say in the verdict": [
                terms.name for terms in self.modalities if terms.present == 0
            ],
            "Absent in some samples, where the weight is 0 and the loss counts as the mean of the others": [
                terms.name for terms in self.modalities if 0 < terms.present < self.samples
            ],
        }
        return (*said, *(f"{text}: {', '.join(names)}." for text, names in lists.items() if names))

    def _answered(self) -> str:
        if math.isnan(self.answer_agreement):
            return ""
        return (
            f" The model answers the same label on {100 * self.answer_agreement:.1f} % of the samples; it is right on"
            f" {100 * self.answer_accuracy:.1f} % of them, f on {100 * self.dynamic.accuracy:.1f} %."
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the certificate as plain values, with the three bounds of each fusion worked out, and the notes."""
        plain = asdict(self)
        for name, fusion in self.fusions.items():
            terms = fusion.bound
            plain[name]["bound"] |= {
                "confidence": terms.confidence,
                "theorem_1": terms.theorem_1,
                "held_out": terms.held_out,
                "same_sample": terms.same_sample,
            }
        return plain | {"notes": list(self.notes)}
