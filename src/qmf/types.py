"""The data structures that flow upwards: `FusionOutput` out of the model, `Prediction` into people's hands.

Modalities are ordered once; everything is ``[B, M, ...]`` in that order. B samples, M modalities, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FusionArrays", "FusionOutput", "Prediction", "PredictionSets"]


class FusionOutput(NamedTuple):
    """What one forward pass gives, for every sample and modality.

    Attributes
    ----------
    logits : Tensor [B, K], float32
        Fused logits, ``sum_m w^m f^m``; by credibility, the logarithm of the fused posterior.
    unimodal_logits : Tensor [B, M, K], float32
        Each modality's own logits ``f^m``; 0 where absent.
    weights : Tensor [B, M], float32
        ``w^m``; exactly 0 where absent, NaN in a row with no modality at all. What they lack of 1 is given to none.
    uncertainty : Tensor [B, M], float32
        ``u^m``, higher = worse; NaN where absent.
    present : Tensor [B, M], bool
        True where a modality is there.
    evidence : Tensor [B, M] or None
        That a modality is atypical, see `qmf.typicality`; NaN where absent or not known, None where no one looks.
    """

    logits: Tensor
    unimodal_logits: Tensor
    weights: Tensor
    uncertainty: Tensor
    present: Tensor
    evidence: Tensor | None = None

    @classmethod
    def joined(cls, parts: Sequence[FusionOutput]) -> FusionOutput:
        """Put the outputs of consecutive batches of one model together."""
        import torch

        def column(name: str) -> Tensor:
            return torch.cat([getattr(part, name) for part in parts])

        return cls(
            column("logits"),
            column("unimodal_logits"),
            column("weights"),
            column("uncertainty"),
            column("present"),
            None if parts[0].evidence is None else column("evidence"),
        )

    def to_arrays(self) -> FusionArrays:
        """Give the same in NumPy; `evidence` is NaN throughout where no one looks."""
        import torch

        evidence = torch.full_like(self.uncertainty, torch.nan) if self.evidence is None else self.evidence
        columns = (self.logits, self.unimodal_logits, self.weights, self.uncertainty, self.present, evidence)
        return FusionArrays(*(tensor.detach().cpu().numpy() for tensor in columns))


class FusionArrays(NamedTuple):
    """What a model gives about N samples, whatever it ran on; fields as in `FusionOutput`.

    Attributes
    ----------
    logits : ndarray [N, K]
    unimodal_logits : ndarray [N, M, K]
    weights, uncertainty : ndarray [N, M]
    present : ndarray [N, M], bool
    evidence : ndarray [N, M]
        NaN throughout where no one looks.
    """

    logits: NDArray[np.floating]
    unimodal_logits: NDArray[np.floating]
    weights: NDArray[np.floating]
    uncertainty: NDArray[np.floating]
    present: NDArray[np.bool_]
    evidence: NDArray[np.floating]

    def unimodal_probabilities(self) -> NDArray[np.float64]:
        """Give what each modality alone would say, [N, M, K]; NaN where absent."""
        probabilities = _softmax(self.unimodal_logits)
        probabilities[~self.present] = np.nan
        return probabilities


@dataclass(frozen=True)
class Prediction:
    """Predictions for N samples with, for each, how far each modality was trusted.

    Attributes
    ----------
    labels : ndarray [N]
        Most probable class of each sample, in the type of the training labels.
    probabilities : ndarray [N, K], float
        Fused class probabilities; rows sum to 1. Columns as in `classes`.
    weights : ndarray [N, M], float
        Weight of each modality; exactly 0 where absent. See `withheld_weight` for what they sum to.
    uncertainty : ndarray [N, M], float
        Uncertainty of each modality, higher = worse; NaN where absent.
    present : ndarray [N, M], bool
        True where the modality is there.
    unimodal_probabilities : ndarray [N, M, K], float
        What each modality alone would say; NaN where absent.
    classes : ndarray [K]
        Class labels, sorted.
    modalities : tuple of str, length M
        Names of the modalities, in order.
    ids : ndarray [N] of str
        Sample ids.
    abstain_reason : ndarray [N] of str
        Why the answer is not to be given, see `qmf.abstention`; empty where it is.
    """

    labels: NDArray[Any]
    probabilities: NDArray[np.float64]
    weights: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    present: NDArray[np.bool_]
    unimodal_probabilities: NDArray[np.float64]
    classes: NDArray[Any]
    modalities: tuple[str, ...]
    ids: NDArray[np.str_]
    abstain_reason: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def abstain(self) -> NDArray[np.bool_]:
        """True [N] where the answer is not to be given: the label that stands there is the best guess."""
        withheld: NDArray[np.bool_] = self.abstain_reason != ""
        return withheld

    @property
    def withheld_weight(self) -> NDArray[np.float32]:
        """What the weights lack of 1, [N]: near 1, no modality is to be trusted; 0 where they sum to 1 by design.

        Of linear weights, as the preset "paper" has them, it says nothing: they sum to anything.
        """
        left: NDArray[np.float32] = 1 - self.weights.sum(axis=1)
        return left

    @classmethod
    def from_arrays(
        cls,
        output: FusionArrays,
        classes: NDArray[Any],
        modalities: tuple[str, ...],
        ids: NDArray[np.str_] | None = None,
    ) -> Prediction:
        """Turn what a model gave into what a person holds.

        Parameters
        ----------
        output : FusionArrays
            Of N samples.
        classes : ndarray [K]
            Class labels, in the order of the columns.
        modalities : tuple of M str
            Names.
        ids : ndarray [N] of str, optional
            Sample ids; by default "0", "1", ...

        Returns
        -------
        Prediction
            Probabilities in float64.
        """
        probabilities = _softmax(output.logits)
        return cls(
            labels=classes[probabilities.argmax(axis=1)],
            probabilities=probabilities,
            weights=output.weights.astype(np.float32),
            uncertainty=output.uncertainty.astype(np.float32),
            present=output.present,
            unimodal_probabilities=output.unimodal_probabilities(),
            classes=classes,
            modalities=modalities,
            ids=np.arange(len(probabilities)).astype(str) if ids is None else ids,
            abstain_reason=np.zeros(len(probabilities), dtype=np.str_),
        )

    def to_columns(self) -> dict[str, NDArray[Any]]:
        """Give the prediction as named columns, one row per sample.

        Returns
        -------
        dict of str to ndarray [N]
            ``id``, ``label``, ``probability`` (of that label), ``abstain``, ``abstain_reason``,
            ``probability_<class>``; per modality ``weight_<m>``, ``uncertainty_<m>``, ``present_<m>`` and ``label_<m>``
            (what it alone would say; None where absent).
        """
        columns: dict[str, NDArray[Any]] = {
            "id": self.ids,
            "label": self.labels,
            "probability": self.probabilities.max(axis=1),
            "abstain": self.abstain,
            "abstain_reason": self.abstain_reason,
        }
        for k, label in enumerate(self.classes):
            columns[f"probability_{label}"] = self.probabilities[:, k]
        for m, name in enumerate(self.modalities):
            there = self.present[:, m]
            columns[f"weight_{name}"] = self.weights[:, m]
            columns[f"uncertainty_{name}"] = self.uncertainty[:, m]
            columns[f"present_{name}"] = there
            alone = self.classes[self.unimodal_probabilities[:, m].argmax(axis=1)].astype(object)
            alone[~there] = None
            columns[f"label_{name}"] = alone
        return columns

    def to_frame(self, library: str = "polars") -> Any:
        """Give the prediction as a data frame, one row per sample.

        Parameters
        ----------
        library : {"polars", "pandas", "pyarrow"}
            Which library's frame to make; it must be installed. Polars always is.

        Returns
        -------
        data frame with N rows
            Columns as in `to_columns`; NaN uncertainty of an absent modality is null.

        Raises
        ------
        ConfigError
            If `library` is none of the three.
        """
        return _frame(self.to_columns(), self.labels.dtype.kind, library)


@dataclass(frozen=True)
class PredictionSets:
    """For N samples, the classes among which the true one is with probability ``1 - alpha``.

    Attributes
    ----------
    sets : ndarray [N, K], bool
        True where the class is in the set, columns as in `classes`. A set may be empty: no class suits the sample as
        well as the true one usually does.
    valid : ndarray [N], bool
        False where nothing is promised, and the set is all classes: too few held-out samples had the modalities of this
        one.
    classes : ndarray [K]
        Class labels, sorted.
    ids : ndarray [N] of str
        Sample ids.
    alpha : float
        Share of sets that may miss the true class.
    method : str
        "lac" or "aps", see `qmf.conformal`.
    """

    sets: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    classes: NDArray[Any]
    ids: NDArray[np.str_]
    alpha: float
    method: str

    def __len__(self) -> int:
        return len(self.sets)

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Number of classes in each set, [N]."""
        sizes: NDArray[np.intp] = self.sets.sum(axis=1)
        return sizes

    def labels(self) -> list[list[Any]]:
        """Give the labels in each set: N lists."""
        return [self.classes[row].tolist() for row in self.sets]

    def to_columns(self) -> dict[str, NDArray[Any]]:
        """Give the sets as named columns, one row per sample.

        Returns
        -------
        dict of str to ndarray [N]
            ``id``; ``set``, its labels joined by "|"; ``set_size``; ``set_valid``.
        """
        joined = np.array(["|".join(map(str, labels)) for labels in self.labels()], dtype=object)
        return {"id": self.ids, "set": joined, "set_size": self.sizes, "set_valid": self.valid}

    def to_frame(self, library: str = "polars") -> Any:
        """Give the sets as a data frame, one row per sample; parameters and errors as `Prediction.to_frame`."""
        return _frame(self.to_columns(), "U", library)


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give probabilities along the last axis, in float64."""
    exponentials = np.exp(np.float64(logits) - np.max(logits, axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def _frame(columns: dict[str, NDArray[Any]], label_kind: str, library: str) -> Any:
    """Make a data frame of columns; those called label... hold labels, of which all may be null."""
    import polars as pl

    from qmf.errors import ConfigError

    kinds = {"U": pl.String, "b": pl.Boolean, "i": pl.Int64, "u": pl.UInt64}
    # Said outright for labels: a part of a file in which a modality is absent throughout has only null.
    label = kinds.get(label_kind)
    series = [
        pl.Series(name, values.tolist()).fill_nan(None)
        if values.dtype.kind == "f"
        else pl.Series(name, values.tolist(), dtype=label if name.startswith("label") else None)
        for name, values in columns.items()
    ]
    frame = pl.DataFrame(series)
    if library == "polars":
        return frame
    if library == "pandas":
        return frame.to_pandas()
    if library == "pyarrow":
        return frame.to_arrow()
    raise ConfigError(f"library={library!r}: expected 'polars', 'pandas' or 'pyarrow'.")
