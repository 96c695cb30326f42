"""Encoders and heads of S models at once, and their gradients: where a vectorised training step spends its time.

Values and gradients are those of `qmf.encoders.MLPEncoder` and `qmf.heads.BatchedLinearHeads`, model by model, up to
rounding. They are written out because few passes over memory make it fast: ``relu(c a) = c relu(a)``, so that the
scale of dropout is part of the matrix product, and where ``h`` is 0 its gradient is, whatever made it so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from qmf.benchmark.flat_parameters import FlatParameters

__all__ = ["StackedHeads"]


class StackedHeads:
    """From standardised vectors ``z^m`` to features ``h^m`` and logits ``f^m``, for S models.

    Parameters
    ----------
    params : FlatParameters
        Those of `Method`, stacked, [S, ...]; the gradients are left there.
    keep : sequence of M floats in (0, 1]
        Share of units that each encoder's dropout keeps.
    """

    def __init__(self, params: FlatParameters, keep: Sequence[float]) -> None:
        self.values = _Layers(params.values, len(keep))
        self.gradients = _Layers(params.gradients, len(keep))
        self.scales = [1.0 / share for share in keep]

    def forward(self, z: Sequence[Tensor], kept: Sequence[Tensor | None]) -> tuple[list[Tensor], Tensor]:
        """Give features and logits.

        Parameters
        ----------
        z : M tensors [S, B, D_m]
            Inputs.
        kept : M tensors [S, B, H] or [S, B, 1], or None
            Masks: 1 where a unit is kept, 0 where it is dropped or its modality absent.

        Returns
        -------
        h : list of M tensors [S, B, H]
        f : Tensor [S, B, M, K]
        """
        own, h, f = self.values, [], []
        for m, scale in enumerate(self.scales):
            a = torch.baddbmm(
                own.biases[m][:, None], z[m], own.weights[m].transpose(1, 2), beta=scale, alpha=scale
            ).clamp_(min=0.0)
            mask = kept[m]
            h.append(a if mask is None else a.mul_(mask))
            # W h^T and not h W^T: with few classes, twice as fast.
            f.append(torch.baddbmm(own.bias[:, m, :, None], own.weight[:, m], h[m].transpose(1, 2)))
        return h, torch.stack(f).permute(1, 3, 0, 2)

    def backward(self, z: Sequence[Tensor], h: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
        """Leave the gradients of all parameters, from those of the loss: M for `h`, then one for `f`; None = 0."""
        own, out = self.values, self.gradients
        given = gradients[len(h)]
        to_logits = own.bias.new_zeros(*z[0].shape[:2], *own.bias.shape[1:]) if given is None else given
        torch.sum(to_logits, dim=1, out=out.bias)
        for m, g in enumerate(to_logits.unbind(dim=2)):
            out.weight[:, m] = torch.bmm(g.transpose(1, 2), h[m])
            given, weight = gradients[m], own.weight[:, m]
            through = torch.bmm(g, weight) if given is None else torch.baddbmm(given, g, weight)
            passed = torch.ops.aten.threshold_backward(through, h[m], 0.0)
            # beta = 0: what stands in the first argument is not looked at.
            torch.baddbmm(
                out.weights[m], passed.transpose(1, 2), z[m], beta=0, alpha=self.scales[m], out=out.weights[m]
            )
            torch.sum(passed, dim=1, out=out.biases[m]).mul_(self.scales[m])


class _Layers:
    """The encoders' layers and the heads, among all parameters or gradients of a method."""

    def __init__(self, named: Mapping[str, Tensor], modalities: int) -> None:
        layers = [f"encoders.{m}.hidden" for m in range(modalities)]
        self.weights = [named[f"{layer}.weight"] for layer in layers]  # [S, H, D_m]
        self.biases = [named[f"{layer}.bias"] for layer in layers]  # [S, H]
        self.weight, self.bias = named["heads.weight"], named["heads.bias"]  # [S, M, K, H], [S, M, K]
