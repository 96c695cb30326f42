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

__all__ = ["StackedHeads", "modalities_first", "models_first"]

_NEAR = 1 << 19  # bytes of features that several passes go over before the next ones are taken up


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
        self._places: dict[int, _Places] = {}

    def forward(self, z: Sequence[Tensor], kept: Tensor | None) -> tuple[Tensor, Tensor]:
        """Give features and logits; both are overwritten by the next call.

        Parameters
        ----------
        z : M tensors [S, B, D_m]
            Inputs.
        kept : Tensor [M, S, B, H] or [M, S, B, 1], or None
            Mask of any type: 1 where a unit is kept, 0 where it is dropped or its modality absent.

        Returns
        -------
        h : Tensor [M, S, B, H]
        f : Tensor [S, B, M, K]
            In memory [M, S, K, B]: whatever goes on from it sums over classes, not across a short last axis.
        """
        own, at, c = self.values, self._of(z[0].shape[1]), self.scale
        for group in at.groups:
            for m, out in zip(group.members, group.each, strict=True):
                # beta = 0: what stands in the first argument is not looked at.
                torch.baddbmm(out, z[m], own.weights[m], beta=0, alpha=c, out=out)
            group.h.add_(group.bias, alpha=c).clamp_(min=0.0)
            if kept is not None:
                # As floats: with another type the product takes three times as long.
                group.h.mul_(group.mask.copy_(kept[group.slice]))
        # Weights turned round before, logits after: reading across the rows of h takes twice as long as all of this.
        torch.bmm(at.flat_h, at.turned.copy_(own.turned_head_weight), out=at.across)
        torch.add(at.across_turned, own.flat_head_bias, out=at.flat_f)
        return at.h, at.f

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
        out, at = self.gradients, self._of(h.shape[2])
        if to_logits is None:
            to_logits = torch.zeros_like(at.f)
        g = to_logits.permute(2, 0, 3, 1).flatten(0, 1)  # [M S, K, B]
        torch.sum(g, dim=2, keepdim=True, out=out.flat_head_bias)
        torch.bmm(g, at.flat_h, out=out.flat_head_weight)
        at.across.copy_(g.transpose(1, 2))
        for group in reversed(at.groups):
            torch.bmm(group.across, group.head_weight, out=group.flat_through)
            for through, gradient in zip(group.through_each, to_features[group.slice], strict=False):
                if gradient is not None:
                    through += gradient
            # In place: a second block of this size takes twice as long.
            torch.ops.aten.threshold_backward.grad_input(group.through, group.h, 0.0, grad_input=group.through)
            torch.sum(group.through, dim=2, out=group.bias_gradient).mul_(self.scale)
            for m, through in zip(group.members, group.through_each, strict=True):
                weight = out.weights[m]
                torch.baddbmm(weight, z[m].transpose(1, 2), through, beta=0, alpha=self.scale, out=weight)

    def _of(self, rows: int) -> _Places:
        if rows not in self._places:
            self._places[rows] = _Places(self.values, self.gradients, rows)
        return self._places[rows]


class _Layers:
    """The encoders' layers and the heads, among all parameters or gradients."""

    def __init__(self, named: Mapping[str, Tensor], modalities: int) -> None:
        self.weights = [named[f"encoders.{m}.hidden.weight"] for m in range(modalities)]  # [S, D_m, H]
        self.bias = named["hidden.bias"]  # [M, S, H]
        self.head_weight, self.head_bias = named["heads.weight"], named["heads.bias"]  # [M, S, K, H], [M, S, K]
        self.flat_head_weight = self.head_weight.flatten(0, 1)
        self.turned_head_weight = self.flat_head_weight.transpose(1, 2)
        self.flat_head_bias = self.head_bias.flatten(0, 1)[..., None]


class _Places:
    """Where the passes over batches of B samples write, and the views of it: made once, as in `Workspace`.

    Making a view anew in each step costs as much as a small product.
    """

    def __init__(self, values: _Layers, gradients: _Layers, rows: int) -> None:
        m, s, k, hidden = values.head_weight.shape
        new = values.bias.new_empty
        self.h = new(m, s, rows, hidden)
        self.turned, self.across, self.flat_f = new(m * s, hidden, k), new(m * s, rows, k), new(m * s, k, rows)
        self.flat_h, self.across_turned = self.h.flatten(0, 1), self.across.transpose(1, 2)
        self.f = self.flat_f.view(m, s, k, rows).permute(1, 3, 0, 2)
        size = m if self.h.is_cuda else max(1, min(m, _NEAR // (s * rows * hidden * 4)))
        mask, through = (new(size, s, rows, hidden) for _ in range(2))
        self.groups = [
            _Group(self, values, gradients, range(first, min(first + size, m)), mask, through)
            for first in range(0, m, size)
        ]


class _Group:
    """Some modalities whose features stay in a core's cache from one pass over them to the next."""

    def __init__(
        self, at: _Places, values: _Layers, gradients: _Layers, members: range, mask: Tensor, through: Tensor
    ) -> None:
        self.members, self.slice = members, slice(members.start, members.stop)
        self.h, self.bias = at.h[self.slice], values.bias[self.slice, :, None]
        self.each, self.mask = self.h.unbind(), mask[: len(members)]
        self.across = at.across.unflatten(0, at.h.shape[:2])[self.slice].flatten(0, 1)
        self.head_weight = values.head_weight[self.slice].flatten(0, 1)
        self.through = through[: len(members)]
        self.through_each, self.flat_through = self.through.unbind(), self.through.flatten(0, 1)
        self.bias_gradient = gradients.bias[self.slice]
