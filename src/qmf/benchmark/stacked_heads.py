"""Encoders and heads of S models at once, and their gradients: where a vectorised training step spends its time.

Values and gradients are those of `qmf.encoders.MLPEncoder` and `qmf.heads.BatchedLinearHeads`, model by model, up to
rounding. They are written out because few passes over memory make it fast: ``relu(c a) = c relu(a)``, so that the
scale of dropout is part of the matrix product, and where ``h`` is 0 its gradient is, whatever made it so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

__all__ = ["StackedHeads"]


class StackedHeads:
    """From standardised vectors ``z^m`` to features ``h^m`` and logits ``f^m``, for S models.

    Parameters
    ----------
    params : mapping of str to Tensor [S, ...]
        Those of `Method`, stacked; the gradients are left in their ``grad``.
    keep : sequence of M floats in (0, 1]
        Share of units that each encoder's dropout keeps.
    """

    def __init__(self, params: Mapping[str, Tensor], keep: Sequence[float]) -> None:
        layers = [f"encoders.{m}.hidden" for m in range(len(keep))]
        self.weights = [params[f"{layer}.weight"] for layer in layers]  # [S, H, D_m]
        self.biases = [params[f"{layer}.bias"] for layer in layers]  # [S, H]
        self.weight, self.bias = params["heads.weight"], params["heads.bias"]  # [S, M, K, H], [S, M, K]
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
        h, f = [], []
        for m, scale in enumerate(self.scales):
            a = torch.baddbmm(
                self.biases[m][:, None], z[m], self.weights[m].transpose(1, 2), beta=scale, alpha=scale
            ).clamp_(min=0.0)
            mask = kept[m]
            h.append(a if mask is None else a.mul_(mask))
            # W h^T and not h W^T: with few classes, twice as fast.
            f.append(torch.baddbmm(self.bias[:, m, :, None], self.weight[:, m], h[m].transpose(1, 2)))
        return h, torch.stack(f).permute(1, 3, 0, 2).contiguous()

    def backward(self, z: Sequence[Tensor], h: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
        """Leave the gradients of all parameters, from those of the loss: M for `h`, then one for `f`; None = 0."""
        to_logits = gradients[len(h)]
        to_logits = self.bias.new_zeros(*z[0].shape[:2], *self.bias.shape[1:]) if to_logits is None else to_logits
        self.bias.grad = to_logits.sum(dim=1)
        self.weight.grad = torch.empty_like(self.weight)
        for m, g in enumerate(to_logits.permute(2, 0, 1, 3).contiguous()):
            self.weight.grad[:, m] = torch.bmm(g.transpose(1, 2), h[m])
            own, weight = gradients[m], self.weight[:, m]
            through = torch.bmm(g, weight) if own is None else torch.baddbmm(own, g, weight)
            passed = torch.ops.aten.threshold_backward(through, h[m], 0.0)
            # beta = 0: what stands in the first argument is not looked at.
            empty = torch.empty_like(self.weights[m])
            self.weights[m].grad = torch.baddbmm(
                empty, passed.transpose(1, 2), z[m], beta=0, alpha=self.scales[m], out=empty
            )
            self.biases[m].grad = passed.sum(dim=1).mul_(self.scales[m])
