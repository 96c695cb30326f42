"""Between samples and the model: what a classifier is assembled from, and how it is asked."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch

from qmf.data import Samples
from qmf.encoders import MLPEncoder
from qmf.fusion import QualityAwareFusion
from qmf.training import TensorBatches, dropout_rates
from qmf.types import FusionOutput

__all__ = ["build_model", "in_double", "run_model", "tensor_batches"]

_ROWS = 4096  # rows per forward pass at prediction: bounds the memory, changes no result


def build_model(
    widths: Mapping[str, int],
    num_classes: int,
    *,
    preset: str,
    uncertainty: str | None,
    weighting: str | None,
    hidden: int,
    dropout: float,
) -> QualityAwareFusion:
    """Give a model for vectors, an `MLPEncoder` per modality.

    Parameters
    ----------
    widths : mapping of str to int
        Modalities in order, with their number of features.
    num_classes : int
        K.
    preset, uncertainty, weighting
        As in `QualityAwareFusion`.
    hidden, dropout
        Of each encoder.

    Returns
    -------
    QualityAwareFusion
        Not yet trained.
    """
    encoders = {name: MLPEncoder(width, hidden, dropout) for name, width in widths.items()}
    return QualityAwareFusion(encoders, num_classes, preset=preset, uncertainty=uncertainty, weighting=weighting)


def tensor_batches(samples: Samples, dropout: float | Mapping[str, float] = 0.0) -> TensorBatches:
    """Give samples, whose labels are positions of classes, as the data set that training takes.

    Parameters
    ----------
    samples : Samples
        The samples.
    dropout : float or mapping of str to float
        Rates of modality dropout, see `qmf.training.dropout_rates`.

    Returns
    -------
    TensorBatches
        The data set.

    Raises
    ------
    ConfigError
        If a rate is not one, or its modality is unknown.
    """
    inputs = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in samples.features.items()}
    target = torch.from_numpy(np.asarray(samples.labels, dtype=np.int64))
    rates = dropout_rates(dropout, samples.modalities)
    return TensorBatches(inputs, torch.from_numpy(samples.present), target, rates)


def in_double(model: QualityAwareFusion) -> QualityAwareFusion:
    """Give a copy that predicts in float64, where a sample's result does not depend on the batch it is in."""
    return copy.deepcopy(model).double()


def run_model(model: QualityAwareFusion, samples: Samples) -> FusionOutput:
    """Ask a model that predicts in float64 (`in_double`) about N samples, some thousand at a time."""
    parts: list[FusionOutput] = []
    with torch.inference_mode():
        for start in range(0, len(samples), _ROWS):
            rows = slice(start, start + _ROWS)
            inputs = {name: torch.from_numpy(x[rows]).double() for name, x in samples.features.items()}
            parts.append(model(inputs, torch.from_numpy(samples.present[rows])))
    return FusionOutput(*(torch.cat(part) for part in zip(*parts, strict=True)))
