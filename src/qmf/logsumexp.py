"""The logarithm of a sum of exponentials, without the exponentials that are too small to count.

``exp(x)`` of a float32 below -87 is no normal number, and computing it takes a CPU a hundred times as long. The logits
of trained classifiers are often that far apart.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["exp_below", "log_sum_exp"]

_LEAST = -60.0  # exp(-60) = 1e-26: beside 1 it is nothing, in float64 as well


def exp_below(x: Tensor, top: Tensor) -> Tensor:
    """Give ``exp(x - top)`` for ``x <= top``, 1e-26 where it is less than that."""
    return (x - top).clamp(min=_LEAST).exp()


def log_sum_exp(x: Tensor) -> Tensor:
    """Give ``log sum_k exp(x_k)`` over the last axis, as `torch.logsumexp` does.

    Parameters
    ----------
    x : Tensor [..., K]
        Finite numbers.

    Returns
    -------
    Tensor [...]
        NaN where x is not finite. Its gradient is ``softmax(x)``.
    """
    result: Tensor = _LogSumExp.apply(x)[0]  # type: ignore[no-untyped-call]
    return result


class _LogSumExp(torch.autograd.Function):
    generate_vmap_rule = True  # nothing in place: the benchmark traces it and merges what is computed twice

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        top = x.amax(dim=-1, keepdim=True)
        p = exp_below(x, top)
        total = p.sum(dim=-1, keepdim=True)
        return (total.log() + top).squeeze(-1), p / total

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, of_shares: None) -> Tensor:
        (p,) = ctx.saved_tensors
        return gradient[..., None] * p
