"""How a fitted classifier answers: labels, calibrated probabilities, sets of classes, and when it had better not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qmf.abstention import STRONG, abstain_reasons
from qmf.calibration import FEWEST, Answers, Ask, PatternCalibration, calibrate_patterns
from qmf.data import Samples, encode_labels, match_modalities
from qmf.errors import ConfigError, DataError
from qmf.types import FusionArrays, Prediction, PredictionSets

__all__ = ["AnsweringMixin"]


class AnsweringMixin:
    """Everything that is asked of a classifier once `fit` is done; what X may be is said by `QMFClassifier`."""

    if TYPE_CHECKING:
        classes_: NDArray[Any]
        modalities_: tuple[str, ...]
        widths_: dict[str, int]
        calibration_: PatternCalibration | None

        def _samples(self, X: Any, y: ArrayLike | None, *, fitting: bool) -> Samples: ...

        def _outputs(self, samples: Samples) -> FusionArrays: ...

        def _check_fitted(self) -> None: ...

        def _seed(self) -> int: ...

    def predict_full(self, X: Any, *, risk: float | None = None) -> Prediction:
        """Predict, and say for each sample how far each modality was trusted and whether the answer is to be given.

        Parameters
        ----------
        X : see the class
            Samples, with the modalities of training. A mapping may leave one out: it is absent for all samples.
        risk : float in (0, 1), optional
            Greatest share of wrong answers among those given, for each combination of modalities: the less certain are
            withheld. It holds with probability 0.95 over the draw of the held-out samples; see `qmf.selective`.

        Returns
        -------
        Prediction
            Labels, calibrated probabilities, weights, uncertainty, present, what each modality alone would say, and
            `abstain` with its reason. Without `risk`, only what is atypical throughout or in conflict is withheld.

        Raises
        ------
        DataError
            If the data are not as described or do not fit those of training; a sample with no modality at all is one.
        ConfigError
            If `risk` is out of range, or given and the classifier is not calibrated.
        NotFittedError
            If `fit` has not been called.
        """
        samples = self.prepare(X)
        calibration = self._calibrated() if risk is not None else self.calibration_
        output = self._outputs(samples)
        if calibration is not None:
            output = output._replace(logits=output.logits / calibration.temperatures(samples.present)[:, None])
        prediction = Prediction.from_arrays(output, self.classes_, self.modalities_, samples.ids)
        reasons = abstain_reasons(
            prediction.unimodal_probabilities,
            output.evidence,
            samples.present,
            prediction.probabilities.max(axis=1),
            limit=STRONG if calibration is None else calibration.atypical_limits(samples.present),
            required=None if risk is None or calibration is None else calibration.required(risk, samples.present),
        )
        return replace(prediction, abstain_reason=reasons)

    def predict_set(self, X: Any, *, alpha: float = 0.1, method: Literal["lac", "aps"] = "lac") -> PredictionSets:
        """Give for each sample the classes among which the true one is with probability ``1 - alpha``.

        Parameters
        ----------
        X : see the class, or Prediction
            Samples; or what `predict_full` of this classifier gave about them, and nothing is computed twice.
        alpha : float in (0, 1), default 0.1
            Share of sets that may miss the true class, within every combination of modalities.
        method : {"lac", "aps"}
            LAC gives the smallest sets on average, and empty ones where ``1 - alpha`` is below the accuracy; APS gives
            sets that grow with how hard the sample is. See `qmf.conformal`.

        Returns
        -------
        PredictionSets
            ``sets`` [N, K] and ``valid`` [N]: False, and all classes in the set, where fewer than 50 held-out samples
            had the modalities of this one.

        Raises
        ------
        ConfigError
            If the classifier is not calibrated, `alpha` is out of range, or `method` is unknown.
        DataError, NotFittedError
            As `predict_full`.

        References
        ----------
        Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, section 4.5.
        """
        self._check_fitted()
        calibration = self._calibrated()
        given = X if isinstance(X, Prediction) else self.predict_full(X)
        sets, valid = calibration.sets(given.probabilities, given.present, given.ids, alpha=alpha, method=method)
        return PredictionSets(sets, valid, self.classes_, given.ids, alpha, method)

    def predict(self, X: Any) -> NDArray[Any]:
        """Give the label of each sample [N]; parameters and errors as `predict_full`."""
        return self.predict_full(X).labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Give the fused class probabilities [N, K], columns as `classes_`; parameters and errors as `predict_full`."""
        return self.predict_full(X).probabilities

    def prepare(self, X: Any) -> Samples:
        """Encode samples once, to predict them several times: with modalities left out, or in parts.

        Parameters
        ----------
        X : see the class
            Samples.

        Returns
        -------
        Samples
            Vectors, with exactly the modalities of training; `predict_full` takes them.

        Raises
        ------
        DataError
            As `predict_full`.
        """
        self._check_fitted()
        return match_modalities(self._samples(X, None, fitting=False), self.widths_)

    def calibrate(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Calibrate on other samples than `fit` held out, such as recent ones from where the classifier is used.

        Parameters
        ----------
        X : see the class
            Samples it was not trained on, at least 50.
        y : array [N], optional
            Labels. Only left out where X has them.

        Returns
        -------
        QMFClassifier
            Itself. Labels and weights stay as they are; probabilities, sets and what is withheld change.

        Raises
        ------
        DataError
            If the data are not as described, a label is unknown, or there are too few.
        """
        self._check_fitted()
        samples = match_modalities(self._samples(X, y, fitting=False), self.widths_)
        calibration = self._calibration(replace(samples, labels=encode_labels(samples, self.classes_)), self._seed())
        if calibration is None:
            raise DataError(
                f"{samples.source}: {len(samples)} samples; calibration takes at least {FEWEST} that have the same"
                " modalities."
            )
        self.calibration_ = calibration
        return self

    def _calibrated(self) -> PatternCalibration:
        if self.calibration_ is None:
            raise ConfigError(
                f"this classifier is not calibrated: that takes at least {FEWEST} samples that it was not trained on."
                " Call calibrate(X, y) with some; or fit with validation=(X, y) or a larger validation_fraction."
            )
        return self.calibration_

    def _in_patterns(self, samples: Samples) -> Callable[[NDArray[np.bool_], NDArray[np.bool_]], FusionArrays]:
        """Give how to ask about some of the samples [N] with the modalities [M] that they keep."""

        def ask(chosen: NDArray[np.bool_], kept: NDArray[np.bool_]) -> FusionArrays:
            gone = [name for name, there in zip(self.modalities_, kept, strict=True) if not there]
            return self._outputs(samples.take(np.flatnonzero(chosen)).without(*gone))

        return ask

    def _calibration(self, held_out: Samples | None, seed: int) -> PatternCalibration | None:
        """Calibrate on samples whose labels are positions in `classes_`; None where they are too few."""
        if held_out is None:
            return None

        def look(rows: NDArray[np.intp]) -> Ask:
            asked = self._in_patterns(held_out.take(rows))

            def ask(chosen: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Answers:
                output = asked(chosen, kept)
                return Answers(output.logits, output.unimodal_probabilities(), output.evidence)

            return ask

        target = np.asarray(held_out.labels, dtype=np.int64)
        return calibrate_patterns(look, held_out.present, target, held_out.ids, seed=seed)
