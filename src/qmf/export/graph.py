"""The graph that is exported: from tensors and `present` to everything that is known about a sample."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor, nn

from qmf.calibration import PatternCalibration
from qmf.export.judged import judged_vectors, takes_vectors
from qmf.export.signature import Signature
from qmf.fusion import QualityAwareFusion

__all__ = ["ServedModel"]


class ServedModel(nn.Module):
    """A trained model, the networks before it and its calibration, without the classifier around them.

    Parameters
    ----------
    signature : Signature
        What the graph takes.
    networks : sequence of M nn.Module
        From the tensors of each modality to what the model takes.
    model : QualityAwareFusion
        Trained, in evaluation mode.
    calibration : PatternCalibration or None
        Temperature of each pattern of modalities; 1 without.
    """

    patterns: Tensor
    temperature: Tensor

    def __init__(
        self,
        signature: Signature,
        networks: Sequence[nn.Module],
        model: QualityAwareFusion,
        calibration: PatternCalibration | None,
    ) -> None:
        super().__init__()
        self.counts = [len(given.parts) for given in signature.inputs.values()]
        self.computed = [(m, takes_vectors(model, m)) for m in signature.computed]
        self.networks = nn.ModuleList(networks)
        self.model = model
        empty = torch.zeros(0, len(model.modalities), dtype=torch.bool)
        patterns = empty if calibration is None else torch.from_numpy(calibration.patterns)
        temperature = torch.ones(0) if calibration is None else torch.from_numpy(calibration.temperature).float()
        self.register_buffer("patterns", patterns)
        self.register_buffer("temperature", temperature)

    def forward(self, inputs: Sequence[Tensor], present: Tensor) -> tuple[Tensor, ...]:
        """Give `Signature.outputs` of the tensors of all modalities and `present` [B, M], bool.

        A row with no modality is NaN; features mean nothing where their modality is absent.
        """
        tensors = iter(inputs)
        x = [network(*islice(tensors, n)) for network, n in zip(self.networks, self.counts, strict=True)]
        with judged_vectors(self.model) as seen:
            output = self.model(dict(zip(self.model.modalities, x, strict=True)), present)
        evidence = torch.full_like(output.uncertainty, torch.nan) if output.evidence is None else output.evidence
        probabilities = (output.logits / self._temperature(present)).softmax(dim=-1)
        known = output.logits, probabilities, output.unimodal_logits, output.weights, output.uncertainty, evidence
        return known + tuple(x[m] if before else seen[m] for m, before in self.computed)

    def _temperature(self, present: Tensor) -> Tensor:
        """Give that of each sample's pattern, [B, 1]; 1 where it is not calibrated."""
        if not len(self.temperature):
            return torch.ones_like(present[:, :1], dtype=self.temperature.dtype)
        same = (present[:, None] == self.patterns).all(dim=-1)
        found = torch.where(same, self.temperature, 0.0).sum(dim=-1, keepdim=True)
        return torch.where(same.any(dim=-1, keepdim=True), found, 1.0)
