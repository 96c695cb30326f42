"""Encoders and heads of S models at once, and their gradients: where a training step on vectors spends its time.

Values and gradients are those of `qmf.encoders.MLPEncoder` and `qmf.heads.BatchedLinearHeads`, model by model, up to
rounding. They are written out because few passes over memory make it fast: ``relu(c a) = c relu(a)``, so that the
scale of dropout is part of the matrix product, and where ``h`` is 0 its gradient is, whatever made it so. Weights lie
as ``[D, H]``, not ``[H, D]``: products of this size take half as long if no factor has to be read across its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from qmf.training.workspace import Workspace

__all__ = ["StackedHeads", "modalities_first", "models_first"]


def modalities_first(params: Mapping[str, Tensor], modalities: int) -> dict[str, Tensor]:
    """Give parameters [S, ...] of S models as `StackedHeads` wants them: one tensor [M, S, ...] where shapes allow.

    Parameters
    ----------
    params : mapping of str to Tensor [S, ...]
        By their names in the model.
    modalities : int
        M.

    Returns
    -------
    dict of str to Tensor
        Names are kept, but that ``hidden.bias`` is of all encoders. Weights of encoders are [S, D_m, H].
    """
    weights = [f"encoders.{m}.hidden.weight" for m in range(modalities)]
    changed = {name: value for name, value in params.items() if not name.endswith(".hidden.bias")}
    changed["hidden.bias"] = torch.stack([params[f"encoders.{m}.hidden.bias"] for m in range(modalities)])
    swapped = {name: params[name].transpose(1, 2) for name in weights}
    return changed | swapped | {name: params[name].transpose(0, 1) for name in ("heads.weight", "heads.bias")}


def models_first(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `modalities_first`, by views."""
    changed = {name: value for name, value in params.items() if name != "hidden.bias"}
    biases = {f"encoders.{m}.hidden.bias": bias for m, bias in enumerate(params["hidden.bias"])}
    weights = {f"encoders.{m}.hidden.weight" for m in range(len(biases))}
    swapped = {name: params[name].transpose(1, 2) for name in weights}
    return changed | biases | swapped | {name: params[name].transpose(0, 1) for name in ("heads.weight", "heads.bias")}


class StackedHeads:
    """From standardised vectors ``z^m`` to features ``h^m`` and logits ``f^m``, for S models.

    Parameters
    ----------
    values, gradients : mapping of str to Tensor
        Parameters as `modalities_first` gives them, and where to leave their gradients.
    modalities : int
        M.
    keep : float in (0, 1]
        Share of units that the encoders' dropout keeps.
    """

    def __init__(
        self, values: Mapping[str, Tensor], gradients: Mapping[str, Tensor], modalities: int, keep: float
    ) -> None:
        self.values, self.gradients = _Layers(values, modalities), _Layers(gradients, modalities)
        self.scale = 1.0 / keep
        self._memory = Workspace(self.values.bias.device)

    def forward(self, z: Sequence[Tensor], kept: Tensor | None) -> tuple[Tensor, Tensor]:
        """Give features and logits; both are overwritten by the next call.

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
            In memory [M, S, K, B]: whatever goes on from it sums over classes, not across a short last axis.
        """
        own, c = self.values, self.scale
        h = self._memory("h", len(z), *z[0].shape[:2], own.bias.shape[2])
        for out, v, weight in zip(h.unbind(), z, own.weights, strict=True):
            # beta = 0: what stands in the first argument is not looked at.
            torch.baddbmm(out, v, weight, beta=0, alpha=c, out=out)
        h.add_(own.bias[:, :, None], alpha=c).clamp_(min=0.0)
        if kept is not None:
            h.mul_(kept)
        # Weights turned round before, logits after: reading across the rows of h takes twice as long as all of this.
        weight = own.flat_head_weight.transpose(1, 2)
        turned = self._memory("turned", *weight.shape).copy_(weight)
        across = self._memory("across", len(turned), h.shape[2], turned.shape[2])
        torch.bmm(h.flatten(0, 1), turned, out=across)
        f = self._memory("f", len(turned), turned.shape[2], h.shape[2])
        torch.add(across.transpose(1, 2), own.flat_head_bias, out=f)
        return h, f.unflatten(0, h.shape[:2]).permute(1, 3, 0, 2)

    def backward(
        self, z: Sequence[Tensor], h: Tensor, to_features: Tensor | Sequence[Tensor | None], to_logits: Tensor | None
    ) -> None:
        """Leave the gradients of all parameters, from those of the loss.

        Parameters
        ----------
        z, h
            As given to `forward`, and by it.
        to_features : Tensor [M, S, B, H], or one for each of some modalities, the first ones
            For `h`; None = 0.
        to_logits : Tensor [S, B, M, K] or None
            For `f`; None = 0.
        """
        own, out = self.values, self.gradients
        if to_logits is None:
            to_logits = h.new_zeros(*h.shape[1:3], len(h), own.head_bias.shape[2])
        g = to_logits.permute(2, 0, 3, 1).flatten(0, 1)  # [M S, K, B]
        torch.sum(g, dim=2, keepdim=True, out=out.flat_head_bias)
        torch.bmm(g, h.flatten(0, 1), out=out.flat_head_weight)
        through = self._memory("through", *h.shape)
        across = self._memory("across", len(g), g.shape[2], g.shape[1]).copy_(g.transpose(1, 2))
        torch.bmm(across, own.flat_head_weight, out=through.flatten(0, 1))
        if isinstance(to_features, Tensor):
            through += to_features
        else:
            for m, gradient in enumerate(to_features):
                if gradient is not None:
                    through[m] += gradient
        # In place: a second block of this size takes twice as long.
        torch.ops.aten.threshold_backward.grad_input(through, h, 0.0, grad_input=through)
        torch.sum(through, dim=2, out=out.bias).mul_(self.scale)
        for v, weight, to_hidden in zip(z, out.weights, through.unbind(), strict=True):
            torch.baddbmm(weight, v.transpose(1, 2), to_hidden, beta=0, alpha=self.scale, out=weight)


class _Layers:
    """The encoders' layers and the heads, among all parameters or gradients."""

    def __init__(self, named: Mapping[str, Tensor], modalities: int) -> None:
        self.weights = [named[f"encoders.{m}.hidden.weight"] for m in range(modalities)]  # [S, D_m, H]
        self.bias = named["hidden.bias"]  # [M, S, H]
        self.head_weight, self.head_bias = named["heads.weight"], named["heads.bias"]  # [M, S, K, H], [M, S, K]
        self.flat_head_weight = self.head_weight.flatten(0, 1)
        self.flat_head_bias = self.head_bias.flatten(0, 1)[..., None]
