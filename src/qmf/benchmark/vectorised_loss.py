"""The loss of S models of one method and its gradients, traced once and then run operation by operation.

`torch.func.vmap` and autograd find out anew in every step what is to be computed. It is the same in each, and beside
models as small as these, finding out takes longer than computing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from qmf.benchmark.methods.base import Method, Step
from qmf.benchmark.traced_graph import simplified

__all__ = ["VectorisedLoss"]


class VectorisedLoss:
    """From the features and logits of a batch to losses and gradients.

    Parameters
    ----------
    model : Method
        In training mode; says what is computed.
    names : sequence of str
        Parameters and then buffers that the step takes, by their names in `model`.
    complete : bool
        True if no modality is absent from any sample.
    """

    def __init__(self, model: Method, names: Sequence[str], *, complete: bool) -> None:
        self.step, self.names = _TrainingStep(model, complete=complete), tuple(names)
        self.complete = complete
        self.traced: dict[torch.Size, Callable[..., Any]] = {}

    def __call__(
        self,
        h: Sequence[Tensor],
        f: Tensor,
        params: Sequence[Tensor],
        buffers: Sequence[Tensor],
        present: Tensor,
        target: Tensor,
        step: Step,
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Give the unimodal losses [S, B, M], and the gradients for all of `h`, `f` and `params`; None where unused.

        Parameters
        ----------
        h : M tensors [S, B, H]
            Features.
        f : Tensor [S, B, M, K]
            Unimodal logits.
        params, buffers : sequences of tensors [S, ...]
            In the order of `names`.
        present : Tensor [S, B, M], bool
            True where a modality is there.
        target : Tensor [S, B], int64
            True classes.
        step : Step
            Each part with a leading axis of S, but for the progress, which is that of all.
        """
        m = len(h)
        flat = [*h, f, *params, *buffers, present, target, *step]

        def losses(*flat: Tensor) -> tuple[Tensor, list[Tensor | None]]:
            state = list(flat[m + 1 : -7])
            own, there, classes = state[: len(params)], flat[-7], flat[-6]
            return self._losses(list(flat[:m]), flat[m], own, state[len(params) :], there, classes, Step(*flat[-5:]))

        if present.shape not in self.traced:
            if len({id(tensor) for tensor in flat}) < len(flat):
                raise ValueError("one tensor is given twice: a traced graph would take them for one in all later steps")
            with torch.enable_grad():
                traced = make_fx(losses)(*flat)
            self.traced[present.shape] = simplified(traced, len(flat) - 7 if self.complete else None)
        with torch.no_grad():
            result: tuple[Tensor, list[Tensor | None]] = self.traced[present.shape](*flat)
        return result

    def _losses(
        self,
        h: list[Tensor],
        f: Tensor,
        params: list[Tensor],
        buffers: list[Tensor],
        present: Tensor,
        target: Tensor,
        step: Step,
    ) -> tuple[Tensor, list[Tensor | None]]:
        wanted = [tensor.detach().requires_grad_() for tensor in (*h, f, *params)]
        axes = Step(None, 0, 0, 0, 0)  # type: ignore[arg-type]  # the progress is that of all
        vectorised = vmap(self._of_one, in_dims=(0, 0, 0, 0, 0, axes))
        m = len(h)
        loss, each = vectorised(wanted[:m], wanted[m], [*wanted[m + 1 :], *buffers], present, target, step)
        # The models share no parameter: each gets its own gradient.
        gradients = torch.autograd.grad(loss.sum(), wanted, allow_unused=True)
        return each, list(gradients)

    def _of_one(
        self, h: list[Tensor], f: Tensor, state: list[Tensor], present: Tensor, target: Tensor, step: Step
    ) -> tuple[Tensor, Tensor]:
        named = {f"model.{name}": value for name, value in zip(self.names, state, strict=True)}
        result: tuple[Tensor, Tensor] = functional_call(self.step, named, (h, f, present, target, step))
        return result


class _TrainingStep(torch.nn.Module):
    """A method's training step as a forward pass, which is what `functional_call` calls."""

    def __init__(self, model: Method, *, complete: bool) -> None:
        super().__init__()
        self.model, self.complete = model, complete

    def forward(self, h: list[Tensor], f: Tensor, present: Tensor, target: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        return self.model.training_step(h, f, present, target, step, complete=self.complete)
