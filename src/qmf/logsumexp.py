"""The logarithm of a sum of exponentials, without the exponentials that are too small to count.

``exp(x)`` of a float32 below -87 is no normal number, and computing it takes a CPU a hundred times as long. The logits
of trained classifiers are often that far apart.
"""

from __future__ import annotations

from torch import Tensor

__all__ = ["log_sum_exp", "softmax_and_log_sum_exp"]

_LEAST = -60.0  # exp(-60) = 1e-26: beside 1 it is nothing, in float64 as well


def _exp_below(x: Tensor, top: Tensor) -> Tensor:
    """Give ``exp(x - top)`` for ``x <= top``, 1e-26 where it is less than that."""
    return (x - top).clamp(min=_LEAST).exp()


def log_sum_exp(x: Tensor) -> Tensor:
    """Give ``log sum_k exp(x_k)`` over the last axis, as `torch.logsumexp` does.

    Parameters
    ----------
    x : Tensor [..., K]
        Numbers; ``-inf`` for some of them is allowed.

    Returns
    -------
    Tensor [...]
        NaN where x has a NaN, ``inf`` or nothing but ``-inf``. Its gradient is ``softmax(x)``.
    """
    # Beside small encoders, autograd of these takes less time than the call of a function with its own gradient.
    top = x.detach().amax(dim=-1, keepdim=True)
    return (_exp_below(x, top).sum(dim=-1, keepdim=True).log() + top).squeeze(-1)


def softmax_and_log_sum_exp(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Give ``softmax(x)`` and ``log sum_k exp(x_k)`` with the axis kept, where gradients are written out."""
    top = x.amax(dim=dim, keepdim=True)
    p = _exp_below(x, top)
    total = p.sum(dim=dim, keepdim=True)
    return p.div_(total), total.log_().add_(top)
