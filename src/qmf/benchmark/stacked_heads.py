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

__all__ = ["StackedHeads", "modalities_first", "models_first"]


def modalities_first(params: Mapping[str, Tensor], modalities: int) -> dict[str, Tensor]:
    """Give parameters [S, ...] of a `Method` as `StackedHeads` wants them: one tensor [M, S, ...] where shapes allow.

    Parameters
    ----------
    params : mapping of str to Tensor [S, ...]
        By their names in the method.
    modalities : int
        M.

    Returns
    -------
    dict of str to Tensor
        Names of encoders' layers and of heads are kept, but that ``hidden.bias`` is of all encoders.
    """
    changed = {name: value for name, value in params.items() if not name.endswith(".hidden.bias")}
    changed["hidden.bias"] = torch.stack([params[f"encoders.{m}.hidden.bias"] for m in range(modalities)])
    return changed | {name: params[name].transpose(0, 1) for name in ("heads.weight", "heads.bias")}


def models_first(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `modalities_first`."""
    changed = {name: value for name, value in params.items() if name != "hidden.bias"}
    biases = {f"encoders.{m}.hidden.bias": bias for m, bias in enumerate(params["hidden.bias"])}
    return changed | biases | {name: params[name].transpose(0, 1) for name in ("heads.weight", "heads.bias")}


class StackedHeads:
    """From standardised vectors ``z^m`` to features ``h^m`` and logits ``f^m``, for S models.

    Parameters
    ----------
    params : FlatParameters
        As `modalities_first` gives them; the gradients are left there.
    modalities : int
        M.
    keep : float in (0, 1]
        Share of units that the encoders' dropout keeps.
    """

    def __init__(self, params: FlatParameters, modalities: int, keep: float) -> None:
        self.values, self.gradients = _Layers(params.values, modalities), _Layers(params.gradients, modalities)
        self.scale = 1.0 / keep

    def forward(self, z: Sequence[Tensor], kept: Tensor | None) -> tuple[Tensor, Tensor]:
        """Give features and logits.

        Parameters
        ----------
        z : M tensors [S, B, D_m]
            Inputs.
        kept : Tensor [M, S, B, H] or [M, S, B, 1], or None
            Mask: 1 where a unit is kept, 0 where it is dropped or its modality absent.

        Returns
        -------
        h : Tensor [M, S, B, H]
        f : Tensor [S, B, M, K]
        """
        own, c = self.values, self.scale
        h = z[0].new_empty(len(z), *z[0].shape[:2], own.bias.shape[2])
        for m, (v, weight) in enumerate(zip(z, own.weights, strict=True)):
            torch.baddbmm(own.bias[m, :, None], v, weight.transpose(1, 2), beta=c, alpha=c, out=h[m])
        h.clamp_(min=0.0)
        if kept is not None:
            h.mul_(kept)
        # W h^T and not h W^T: with few classes, twice as fast.
        heads = own.head_weight.flatten(0, 1), h.flatten(0, 1).transpose(1, 2)
        f = torch.baddbmm(own.head_bias.flatten(0, 1)[..., None], *heads)
        return h, f.unflatten(0, h.shape[:2]).permute(1, 3, 0, 2)

    def backward(self, z: Sequence[Tensor], h: Tensor, gradients: Sequence[Tensor | None]) -> None:
        """Leave the gradients of all parameters, from those of the loss: M for `h`, then one for `f`; None = 0."""
        own, out = self.values, self.gradients
        *to_features, to_logits = gradients[: len(h) + 1]
        if to_logits is None:
            to_logits = h.new_zeros(*h.shape[1:3], len(h), own.head_bias.shape[2])
        g = to_logits.permute(2, 0, 1, 3).contiguous()  # [M, S, B, K]
        torch.sum(g, dim=2, out=out.head_bias)
        flat = g.flatten(0, 1)
        torch.bmm(flat.transpose(1, 2), h.flatten(0, 1), out=out.head_weight.flatten(0, 1))
        through = torch.bmm(flat, own.head_weight.flatten(0, 1)).view(h.shape)
        for m, gradient in enumerate(to_features):
            if gradient is not None:
                through[m] += gradient
        passed = torch.ops.aten.threshold_backward(through, h, 0.0)
        torch.sum(passed, dim=2, out=out.bias).mul_(self.scale)
        for m, (v, weight) in enumerate(zip(z, out.weights, strict=True)):
            # beta = 0: what stands in the first argument is not looked at.
            torch.baddbmm(weight, passed[m].transpose(1, 2), v, beta=0, alpha=self.scale, out=weight)


class _Layers:
    """The encoders' layers and the heads, among all parameters or gradients of a method."""

    def __init__(self, named: Mapping[str, Tensor], modalities: int) -> None:
        self.weights = [named[f"encoders.{m}.hidden.weight"] for m in range(modalities)]  # [S, H, D_m]
        self.bias = named["hidden.bias"]  # [M, S, H]
        self.head_weight, self.head_bias = named["heads.weight"], named["heads.bias"]  # [M, S, K, H], [M, S, K]
