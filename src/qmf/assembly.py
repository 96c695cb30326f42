"""Between samples and the model: what a classifier is assembled from, and how it is asked."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qmf.data import Samples
from qmf.encoders import MLPEncoder
from qmf.encoders.placement import placed
from qmf.encoders.tuned import TunedEncoder
from qmf.fusion import QualityAwareFusion
from qmf.subset import Subset
from qmf.types import FusionOutput
from qmf.uncertainty import Credibility

if TYPE_CHECKING:
    from qmf.training import TensorBatches

__all__ = ["build_model", "in_double", "run_model", "tensor_batches"]

_ROWS = 4096  # rows per forward pass at prediction: bounds the memory, changes no result
_TUNED_ROWS = 64  # where networks of pictures, sounds or texts run


def build_model(
    widths: Mapping[str, int],
    num_classes: int,
    *,
    preset: str,
    uncertainty: str | None,
    weighting: str | None,
    hidden: int,
    dropout: float,
    backbones: Mapping[str, nn.Module] | None = None,
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
    backbones : mapping of str to nn.Module, optional
        Networks that are trained with the model, for the modalities that have one.

    Returns
    -------
    QualityAwareFusion
        Not yet trained.
    """
    tuned = backbones or {}
    encoders: dict[str, nn.Module] = {
        name: TunedEncoder(tuned[name], hidden, dropout) if name in tuned else MLPEncoder(width, hidden, dropout)
        for name, width in widths.items()
    }
    return QualityAwareFusion(encoders, num_classes, preset=preset, uncertainty=uncertainty, weighting=weighting)


def tensor_batches(subset: Subset, dropout: float | Mapping[str, float] = 0.0) -> TensorBatches:
    """Give samples, whose labels are positions of classes, as the data set that training takes.

    Parameters
    ----------
    subset : Subset
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
    from qmf.training import TensorBatches, dropout_rates  # which predicting does not take

    samples, rates = subset.samples, dropout_rates(dropout, subset.samples.modalities)
    inputs = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in samples.features.items()}
    target = torch.from_numpy(np.asarray(samples.labels, dtype=np.int64))
    rows = None if len(subset) == len(samples) else torch.from_numpy(subset.rows)
    return TensorBatches(inputs, torch.from_numpy(samples.present), target, rates, rows)


def in_double(model: QualityAwareFusion) -> QualityAwareFusion:
    """Give a copy that predicts in float64, where a sample's result does not depend on the batch it is in.

    On the CUDA device, if there is one and networks are part of the model: for heads alone, moving costs more than
    computing.
    """
    tuned = any(isinstance(encoder, TunedEncoder) for encoder in model.encoders)
    return copy.deepcopy(model).double().to(placed(None if tuned else "cpu"))


def run_model(model: QualityAwareFusion, samples: Samples) -> FusionOutput:
    """Ask a model that predicts in float64 (`in_double`) about N samples, some thousand at a time."""
    with torch.inference_mode():
        return FusionOutput.joined([model(inputs, present) for inputs, present in _parts(model, samples)])


def ask_in_patterns(
    model: QualityAwareFusion, samples: Samples
) -> Callable[[NDArray[np.bool_], NDArray[np.bool_]], FusionOutput]:
    """Ask a model that predicts in float64 about samples in many patterns of availability.

    Parameters
    ----------
    model : QualityAwareFusion
        From `in_double`.
    samples : Samples
        N samples. What each modality says by itself is found out at once, and held.

    Returns
    -------
    callable
        From which of the samples [N] and the modalities they keep [M] to what `run_model` would give.
    """
    with torch.inference_mode():
        logits, of_parts, judged = zip(*(model.opinions(*part) for part in _parts(model, samples)), strict=True)
        f = torch.cat(logits)
        present = torch.from_numpy(samples.present).to(f.device)
        features, vectors = _joined(of_parts), _joined(judged)
        credibility = model.uncertainty
        evidence = credibility.evidence(vectors, f) if isinstance(credibility, Credibility) else None

    def ask(rows: NDArray[np.bool_], kept: NDArray[np.bool_]) -> FusionOutput:
        chosen, there = (torch.from_numpy(mask).to(f.device) for mask in (rows, kept))
        with torch.inference_mode():
            h = [v[chosen] for v in features]
            return model.fuse(f[chosen], h, (), present[chosen] & there, None if evidence is None else evidence[chosen])

    return ask


def _joined(parts: Sequence[list[Tensor]]) -> list[Tensor]:
    return [torch.cat(of_one) for of_one in zip(*parts, strict=True)]


def _parts(model: QualityAwareFusion, samples: Samples) -> Iterator[tuple[dict[str, Tensor], Tensor | None]]:
    """Give inputs and present of some thousand samples at a time, where the model is; None where nothing is absent."""
    device = next(model.parameters()).device
    step = _TUNED_ROWS if any(isinstance(encoder, TunedEncoder) for encoder in model.encoders) else _ROWS
    for start in range(0, len(samples), step):
        rows = slice(start, start + step)
        present = samples.present[rows]
        # What is absent throughout needs no encoder.
        there = [name for m, name in enumerate(samples.modalities) if present[:, m].any()]
        inputs = {name: torch.from_numpy(samples.features[name][rows]).to(device).double() for name in there}
        yield inputs, None if present.all() else torch.from_numpy(present).to(device)
