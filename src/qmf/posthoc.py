"""Quality-aware fusion of classifiers trained elsewhere: all it takes is their logits."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from qmf.calibration import best_temperature
from qmf.errors import ConfigError, DataError
from qmf.fusion import fuse_credible, fuse_logits
from qmf.presets import get_preset
from qmf.types import FusionOutput, Prediction
from qmf.uncertainty import ESTIMATORS, Credibility, Energy, UncertaintyEstimator
from qmf.weighting import named_weighting

__all__ = ["PostHocFusion", "fuse"]

_NOTHING = 1e-5  # weights below it are rounding


def fuse(
    logits_by_modality: Mapping[str, ArrayLike],
    present: ArrayLike | None = None,
    *,
    preset: str = "paper",
    uncertainty: str | None = None,
    weighting: str | None = None,
    temperature: Mapping[str, float] | None = None,
    classes: Sequence[Any] | None = None,
) -> Prediction:
    """Weigh and fuse the logits of anybody's unimodal classifiers, sample by sample.

    Parameters
    ----------
    logits_by_modality : mapping of str to array [N, K]
        Logits of each classifier. A row that is all NaN = the modality is absent for that sample. Log-probabilities
        are logits too, but their energy is always 0: give another estimator with them, such as ``"entropy"``.
    present : array [N, M] of bool, optional
        True where a modality is there; where it is False, the row of logits is not looked at.
    preset : str, default "paper"
        See `qmf.presets`.
    uncertainty : str, optional
        Overrides the preset: a key of `qmf.uncertainty.ESTIMATORS` that needs logits only.
    weighting : str, optional
        Overrides the preset: a key of `qmf.weighting.WEIGHTINGS`, or "linear:BETA".
    temperature : mapping of str to float, optional
        Each modality's logits are divided by its temperature first; 1 where not given.
    classes : sequence of K labels, optional
        Class labels, in the order of the columns; by default 0..K-1.

    Returns
    -------
    Prediction
        Labels, probabilities, weights, uncertainty and what each modality alone would say.

    Raises
    ------
    DataError
        If shapes differ, a row is partly NaN or infinite, a sample has no modality at all, or these are
        log-probabilities and the uncertainty is their energy.
    ConfigError
        If a name is unknown, a temperature is not positive, or linear weights are asked of "credibility".

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 3: the weights need nothing but unimodal logits.

    Examples
    --------
    >>> sure, unsure = [[9.0, 0.0]], [[0.0, 0.2]]
    >>> prediction = fuse({"image": sure, "text": unsure})
    >>> prediction.labels, prediction.weights.round(2)
    (array([0]), array([[0.9 , 0.08]], dtype=float32))
    """
    modalities = tuple(logits_by_modality)
    logits, there = _stack(logits_by_modality, present)
    scale = torch.ones(len(modalities))
    for name, value in (temperature or {}).items():
        if name not in modalities or not value > 0:
            raise ConfigError(f"temperature={{{name!r}: {value}}}: expected a positive number for one of {modalities}.")
        scale[modalities.index(name)] = value
    choices = get_preset(preset)
    estimator = ESTIMATORS[_logit_estimator(uncertainty or choices.uncertainty)](len(modalities))
    weights = named_weighting(weighting, choices.weighting, estimator.ceiling(logits.shape[2]))
    scaled = logits / scale[:, None]
    with torch.no_grad():
        output = _fused(scaled, estimator, there, weights)
    if isinstance(estimator, Energy):
        _check_energy_weights(output.weights, there)
    labels = np.asarray(classes if classes is not None else range(logits.shape[2]))
    if len(labels) != logits.shape[2]:
        raise DataError(f"classes has {len(labels)} labels, the logits have {logits.shape[2]} columns.")
    return Prediction.from_arrays(output.to_arrays(), labels, modalities)


class PostHocFusion:
    """Fusion of unimodal classifiers trained elsewhere, with a temperature per modality calibrated first.

    Parameters
    ----------
    preset, uncertainty, weighting
        As in `fuse`.

    Attributes
    ----------
    temperature_ : dict of str to float
        ``T_m``, by which the logits of each modality are divided.
    classes_ : ndarray [K]
        Class labels, sorted: the order of the columns of the logits.

    References
    ----------
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2 (temperature scaling).

    Examples
    --------
    >>> logits = {"image": [[8.0, 0.0], [8.0, 0.0], [0.0, 8.0]]}
    >>> fusion = PostHocFusion().fit(logits, ["cat", "dog", "dog"])
    >>> str(fusion.predict({"image": [[4.0, 0.0]]})[0]), fusion.temperature_["image"] > 1  # was overconfident
    ('cat', True)
    """

    def __init__(self, *, preset: str = "paper", uncertainty: str | None = None, weighting: str | None = None) -> None:
        self.preset = preset
        self.uncertainty = uncertainty
        self.weighting = weighting

    def fit(
        self, val_logits: Mapping[str, ArrayLike], y: ArrayLike, *, present: ArrayLike | None = None
    ) -> PostHocFusion:
        """Find each modality's temperature: the one with the lowest negative log-likelihood on held-out data.

        Parameters
        ----------
        val_logits : mapping of str to array [N, K]
            Logits on samples that the classifiers were not trained on.
        y : array [N]
            True labels. Their sorted distinct values are the classes, in the order of the columns of the logits.
        present : array [N, M] of bool, optional
            As in `fuse`.

        Returns
        -------
        PostHocFusion
            Itself.

        Raises
        ------
        DataError
            As `fuse`; also if the labels do not fit the logits, or a modality is absent everywhere.
        """
        logits, there = _stack(val_logits, present)
        self.classes_, target = np.unique(np.asarray(y), return_inverse=True)
        if len(target) != len(logits):
            raise DataError(f"y has {len(target)} labels for {len(logits)} rows of logits.")
        if len(self.classes_) != logits.shape[2]:
            raise DataError(f"y has {len(self.classes_)} distinct labels, the logits have {logits.shape[2]} columns.")
        self.temperature_: dict[str, float] = {}
        for m, name in enumerate(val_logits):
            rows = there[:, m]
            if not bool(rows.any()):
                raise DataError(f"modality {name!r} is absent from all samples: nothing to calibrate it on.")
            self.temperature_[name] = best_temperature(logits[rows, m].numpy(), target[rows.numpy()])
        return self

    def predict_full(self, logits: Mapping[str, ArrayLike], present: ArrayLike | None = None) -> Prediction:
        """Fuse new logits with the calibrated temperatures.

        Parameters
        ----------
        logits : mapping of str to array [N, K]
            Of the same modalities; one may be left out, and is then absent.
        present : array [N, M] of bool, optional
            As in `fuse`.

        Returns
        -------
        Prediction
            As `fuse`.

        Raises
        ------
        ConfigError
            If `fit` has not been called.
        DataError
            As `fuse`; also for a modality that `fit` has not seen.
        """
        if not hasattr(self, "temperature_"):
            raise ConfigError("this PostHocFusion is not fitted yet: call fit with validation logits and labels first.")
        unknown = [name for name in logits if name not in self.temperature_]
        if unknown:
            raise DataError(
                f"modality {unknown[0]!r} was not there in fit; expected some of {list(self.temperature_)}."
            )
        return fuse(
            logits,
            present,
            preset=self.preset,
            uncertainty=self.uncertainty,
            weighting=self.weighting,
            temperature={name: self.temperature_[name] for name in logits},
            classes=list(self.classes_),
        )

    def predict(self, logits: Mapping[str, ArrayLike], present: ArrayLike | None = None) -> NDArray[Any]:
        """Give the label of each sample; parameters and errors as `predict_full`."""
        return self.predict_full(logits, present).labels

    def predict_proba(self, logits: Mapping[str, ArrayLike], present: ArrayLike | None = None) -> NDArray[np.float64]:
        """Give the fused class probabilities [N, K]; parameters and errors as `predict_full`."""
        return self.predict_full(logits, present).probabilities


def _check_energy_weights(weights: torch.Tensor, there: torch.Tensor) -> None:
    """Refuse log-probabilities, whose energy is 0; warn of negative weights: small logits have a positive energy."""
    if bool((weights.abs() < _NOTHING).all()):
        raise DataError(
            "these are log-probabilities: their energy, the uncertainty of this preset, is 0 for every sample, and so"
            " is every weight; expected logits, or uncertainty='entropy'."
        )
    negative = int((there & (weights < -_NOTHING)).sum())
    if negative:
        warnings.warn(
            f"{negative} of {int(there.sum())} weights are negative, since these logits are small (their logsumexp is"
            " below 0): such a modality counts against what it says. uncertainty='entropy' knows no such thing.",
            UserWarning,
            stacklevel=3,
        )


def _fused(
    logits: torch.Tensor, estimator: UncertaintyEstimator, present: torch.Tensor, weighting: torch.nn.Module
) -> FusionOutput:
    if isinstance(estimator, Credibility):  # without vectors it goes by the agreement of the modalities
        return fuse_credible(logits, estimator.eval(), (), present, weighting)
    return fuse_logits(logits, estimator(logits), present, weighting)


def _logit_estimator(name: str) -> str:
    usable = [key for key, kind in ESTIMATORS.items() if kind.needs != "features"]
    if name not in usable:
        raise ConfigError(f"uncertainty={name!r} can not be used on logits alone; expected one of {', '.join(usable)}.")
    return name


def _stack(logits_by_modality: Mapping[str, ArrayLike], present: ArrayLike | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Check and stack: logits [N, M, K] float32 with zeros where absent, present [N, M]."""
    if not logits_by_modality:
        raise DataError("no logits: expected a mapping from modality to an array of shape [samples, classes].")
    arrays = {name: np.asarray(value, dtype=np.float32) for name, value in logits_by_modality.items()}
    first_name, first = next(iter(arrays.items()))
    for name, array in arrays.items():
        if array.ndim != 2 or array.shape != first.shape or array.shape[1] < 2:
            raise DataError(
                f"logits of modality {name!r} have shape {array.shape}: expected [samples, at least 2 classes],"
                f" the same for all ({first_name!r} has {first.shape})."
            )
    stacked = np.stack(list(arrays.values()), axis=1)
    there = ~np.isnan(stacked).all(axis=2)
    if present is not None:
        given = np.asarray(present, dtype=bool)
        if given.shape != there.shape:
            raise DataError(f"present has shape {given.shape}: expected [samples, modalities] = {there.shape}.")
        there &= given
    stacked[~there] = 0.0
    names = list(arrays)
    for n, m in np.argwhere(np.logical_not(np.isfinite(stacked)).sum(axis=2))[:1]:
        raise DataError(
            f"logits of modality {names[m]!r} contain NaN or inf in row {n}; to declare the modality absent, make"
            " the whole row NaN."
        )
    for n in np.flatnonzero(there.sum(axis=1) == 0)[:1]:
        raise DataError(f"sample in row {n} has no modality present: at least one is needed; leave such samples out.")
    return torch.from_numpy(stacked), torch.from_numpy(there)
