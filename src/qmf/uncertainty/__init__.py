"""Uncertainty of each modality: one estimator, one file, one short class. Higher = worse, always.

An estimator is an ``nn.Module`` called with ``(logits [B, M, K], features)`` that gives ``u [B, M]`` in float32.
It states what it `needs`; a new one is one file and one line here.
"""

from __future__ import annotations

from qmf.uncertainty.base import Features, UncertaintyEstimator
from qmf.uncertainty.credibility import Credibility
from qmf.uncertainty.energy import Energy
from qmf.uncertainty.entropy import Entropy
from qmf.uncertainty.evidential import EvidentialVacuity
from qmf.uncertainty.margin import Margin
from qmf.uncertainty.max_probability import MaxProbability
from qmf.uncertainty.true_class_probability import TrueClassProbability

__all__ = [
    "ESTIMATORS",
    "Credibility",
    "Energy",
    "Entropy",
    "EvidentialVacuity",
    "Features",
    "Margin",
    "MaxProbability",
    "TrueClassProbability",
    "UncertaintyEstimator",
]

ESTIMATORS: dict[str, type[UncertaintyEstimator]] = {
    "energy": Energy,
    "max-probability": MaxProbability,
    "entropy": Entropy,
    "margin": Margin,
    "evidential": EvidentialVacuity,
    "true-class-probability": TrueClassProbability,
    "credibility": Credibility,
}
