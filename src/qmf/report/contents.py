"""What a report shows: plain numbers, no model and no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from qmf.errors import DataError

__all__ = ["Comparison", "Condition", "Distrusted"]


@dataclass(frozen=True)
class Condition:
    """One test situation and what was measured in it; NaN wherever a number is not defined.

    Attributes
    ----------
    name : str
        ``"clean"``, ``"noise 3σ"``, ...
    description : str
        One plain sentence.
    accuracy : dict of str to float
        Per method, the fused accuracy in [0, 1].
    unimodal_accuracy : dict of str to float
        Per modality, the accuracy in [0, 1] of its own classifier in the first method.
    weight_clean, weight_corrupted : dict of str to float
        Per modality, its mean weight over the views that were left alone and over those that were damaged. Any real
        number: weights need not lie in [0, 1].
    weight_loss_correlation : dict of str to float
        Per modality, Pearson's r of weight and unimodal loss, in [-1, 1]; Theorem 2 asks for 0 or less.
    """

    name: str
    description: str
    accuracy: dict[str, float]
    unimodal_accuracy: dict[str, float]
    weight_clean: dict[str, float]
    weight_corrupted: dict[str, float]
    weight_loss_correlation: dict[str, float]

    @property
    def damaged(self) -> bool:
        """Whether some view was damaged: some modality has a mean weight over damaged views."""
        return any(math.isfinite(weight) for weight in self.weight_corrupted.values())


@dataclass(frozen=True)
class Distrusted:
    """One view of one sample that got far less weight than the others.

    Attributes
    ----------
    id, label, prediction : str
        The sample, its true class and the class the first method predicted.
    modality : str
        Whose view it is.
    weight, other_weights : float
        Its weight, and the mean weight of the sample's other views.
    corrupted : bool or None
        Whether the view had really been damaged; None if that is not known.
    """

    id: str
    label: str
    prediction: str
    modality: str
    weight: float
    other_weights: float
    corrupted: bool | None = None


@dataclass(frozen=True)
class Comparison:
    """All that one report says about two or more methods on one data set.

    Attributes
    ----------
    title : str
        The question asked.
    dataset : str
        What the data are, in a few words.
    num_train, num_test : int
        Samples trained on and tested on.
    classes, modalities : tuple of str
        Their names, in order.
    methods : tuple of str
        First dynamic fusion (QMF), second the matched static fusion, then any others.
    conditions : tuple of Condition
        In the order of the page.
    weight_samples : dict of str to (ndarray [n], ndarray [n])
        Per modality, weight and unimodal loss of up to some hundred samples, all conditions pooled.
    distrusted : tuple of Distrusted
        The most distrusted first.
    settings : dict of str to str
        What is needed to run it again: command, seed, versions, citation.
    evidence : str
        How many runs stand behind it, in a sentence.

    Raises
    ------
    DataError
        If there are fewer than two methods or no condition, or a condition lacks a method or a modality.
    """

    title: str
    dataset: str
    num_train: int
    num_test: int
    classes: tuple[str, ...]
    methods: tuple[str, ...]
    modalities: tuple[str, ...]
    conditions: tuple[Condition, ...]
    weight_samples: dict[str, tuple[NDArray[Any], NDArray[Any]]]
    distrusted: tuple[Distrusted, ...]
    settings: dict[str, str]
    evidence: str = "One training run on one split: another seed can give another answer."

    def __post_init__(self) -> None:
        if len(self.methods) < 2:
            raise DataError(f"methods={self.methods!r}: a comparison needs two, dynamic fusion first, static second.")
        if not self.conditions:
            raise DataError("conditions is empty: a comparison needs at least one test situation.")
        for condition in self.conditions:
            _need(condition, "accuracy", self.methods)
            for field in ("unimodal_accuracy", "weight_clean", "weight_corrupted", "weight_loss_correlation"):
                _need(condition, field, self.modalities)


def _need(condition: Condition, field: str, names: Iterable[str]) -> None:
    missing = [name for name in names if name not in getattr(condition, field)]
    if missing:
        raise DataError(f"condition {condition.name!r}: {field} has no entry for {', '.join(missing)}; use NaN.")
