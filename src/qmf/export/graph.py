"""The graph that is exported: from vectors and `present` to everything that is known about a sample."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qmf.calibration import PatternCalibration
from qmf.fusion import QualityAwareFusion

__all__ = ["OUTPUTS", "ServedModel", "input_names"]

OUTPUTS = ("logits", "probabilities", "unimodal_logits", "weights", "uncertainty", "evidence")
"""What the graph gives, in order: ``logits`` are those before, ``probabilities`` those after calibration."""

_PRESENT = "present"


def input_names(modalities: Sequence[str]) -> list[str]:
    """Give the names of the inputs, those of the modalities and ``present`` [M + 1].

    A modality that is called as an output or as ``present`` has ``input_`` in front.
    """
    taken = (*OUTPUTS, _PRESENT)
    return [*(f"input_{name}" if name in taken else name for name in modalities), _PRESENT]


class ServedModel(nn.Module):
    """A trained model and its calibration, without the classifier around them.

    Parameters
    ----------
    model : QualityAwareFusion
        Trained, in evaluation mode.
    calibration : PatternCalibration or None
        Temperature of each pattern of modalities; 1 without.
    """

    patterns: Tensor
    temperature: Tensor

    def __init__(self, model: QualityAwareFusion, calibration: PatternCalibration | None) -> None:
        super().__init__()
        self.model = model
        empty = torch.zeros(0, len(model.modalities), dtype=torch.bool)
        patterns = empty if calibration is None else torch.from_numpy(calibration.patterns)
        temperature = torch.ones(0) if calibration is None else torch.from_numpy(calibration.temperature).float()
        self.register_buffer("patterns", patterns)
        self.register_buffer("temperature", temperature)

    def forward(self, inputs: Sequence[Tensor], present: Tensor) -> tuple[Tensor, ...]:
        """Give `OUTPUTS` of M tensors [B, D_m] and `present` [B, M], bool; a row with no modality is NaN."""
        output = self.model(dict(zip(self.model.modalities, inputs, strict=True)), present)
        evidence = torch.full_like(output.uncertainty, torch.nan) if output.evidence is None else output.evidence
        probabilities = (output.logits / self._temperature(present)).softmax(dim=-1)
        return output.logits, probabilities, output.unimodal_logits, output.weights, output.uncertainty, evidence

    def _temperature(self, present: Tensor) -> Tensor:
        """Give that of each sample's pattern, [B, 1]; 1 where it is not calibrated."""
        if not len(self.temperature):
            return torch.ones_like(present[:, :1], dtype=self.temperature.dtype)
        same = (present[:, None] == self.patterns).all(dim=-1)
        found = torch.where(same, self.temperature, 0.0).sum(dim=-1, keepdim=True)
        return torch.where(same.any(dim=-1, keepdim=True), found, 1.0)
