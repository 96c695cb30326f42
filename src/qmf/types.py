"""The data structures that flow upwards: `FusionOutput` out of the model, `Prediction` into people's hands.

Modalities are ordered once; everything is ``[B, M, ...]`` in that order. B samples, M modalities, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FusionOutput", "Prediction"]


class FusionOutput(NamedTuple):
    """What one forward pass gives, for every sample and modality.

    Attributes
    ----------
    logits : Tensor [B, K], float32
        Fused logits, ``sum_m w^m f^m``; by credibility, the logarithm of the fused posterior.
    unimodal_logits : Tensor [B, M, K], float32
        Each modality's own logits ``f^m``; 0 where absent.
    weights : Tensor [B, M], float32
        ``w^m``; exactly 0 where absent, NaN in a row with no modality at all.
    uncertainty : Tensor [B, M], float32
        ``u^m``, higher = worse; NaN where absent.
    present : Tensor [B, M], bool
        True where a modality is there.
    """

    logits: Tensor
    unimodal_logits: Tensor
    weights: Tensor
    uncertainty: Tensor
    present: Tensor


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
        Weight of each modality; exactly 0 where absent.
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

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def from_output(
        cls,
        output: FusionOutput,
        classes: NDArray[Any],
        modalities: tuple[str, ...],
        ids: NDArray[np.str_] | None = None,
    ) -> Prediction:
        """Turn what a model gave into what a person holds.

        Parameters
        ----------
        output : FusionOutput
            Of N samples, on any device.
        classes : ndarray [K]
            Class labels, in the order of the columns.
        modalities : tuple of M str
            Names.
        ids : ndarray [N] of str, optional
            Sample ids; by default "0", "1", ...

        Returns
        -------
        Prediction
            In NumPy, probabilities in float64.
        """
        probabilities = output.logits.double().softmax(dim=-1).cpu().numpy()
        present = output.present.cpu().numpy()
        unimodal = output.unimodal_logits.double().softmax(dim=-1).cpu().numpy()
        unimodal[~present] = np.nan
        return cls(
            labels=classes[probabilities.argmax(axis=1)],
            probabilities=probabilities,
            weights=output.weights.float().cpu().numpy(),
            uncertainty=output.uncertainty.float().cpu().numpy(),
            present=present,
            unimodal_probabilities=unimodal,
            classes=classes,
            modalities=modalities,
            ids=np.arange(len(probabilities)).astype(str) if ids is None else ids,
        )

    def to_columns(self) -> dict[str, NDArray[Any]]:
        """Give the prediction as named columns, one row per sample.

        Returns
        -------
        dict of str to ndarray [N]
            ``id``, ``label``, ``probability`` (of that label), ``probability_<class>``; per modality ``weight_<m>``,
            ``uncertainty_<m>``, ``present_<m>`` and ``label_<m>`` (what it alone would say; None where absent).
        """
        columns: dict[str, NDArray[Any]] = {
            "id": self.ids,
            "label": self.labels,
            "probability": self.probabilities.max(axis=1),
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
        import polars as pl

        from qmf.errors import ConfigError

        kinds = {"U": pl.String, "b": pl.Boolean, "i": pl.Int64, "u": pl.UInt64}
        # Said outright for labels: a part of a file in which a modality is absent throughout has only null.
        label = kinds.get(self.labels.dtype.kind)
        series = [
            pl.Series(name, values.tolist()).fill_nan(None)
            if values.dtype.kind == "f"
            else pl.Series(name, values.tolist(), dtype=label if name.startswith("label") else None)
            for name, values in self.to_columns().items()
        ]
        frame = pl.DataFrame(series)
        if library == "polars":
            return frame
        if library == "pandas":
            return frame.to_pandas()
        if library == "pyarrow":
            return frame.to_arrow()
        raise ConfigError(f"library={library!r}: expected 'polars', 'pandas' or 'pyarrow'.")
