"""Margin between the two most probable classes."""

from __future__ import annotations

from torch import Tensor

from qmf.precision import full_precision
from qmf.uncertainty.base import Features, UncertaintyEstimator

__all__ = ["Margin"]


class Margin(UncertaintyEstimator):
    """Closeness of the runner-up, ``u = 1 - (p_(1) - p_(2))``, in ``[0, 1]``.

    References
    ----------
    Scheffer et al., Active Hidden Markov Models for Information Extraction, IDA 2001.

    Examples
    --------
    >>> import torch
    >>> Margin(1)(torch.zeros(1, 1, 4))
    tensor([[1.]])
    """

    def ceiling(self, num_classes: int) -> float:
        """Give the largest value; see `UncertaintyEstimator.ceiling`."""
        return 1.0

    def forward(self, logits: Tensor, features: Features = ()) -> Tensor:
        """Give ``1 - (p_(1) - p_(2))``; see `UncertaintyEstimator.forward`."""
        first, second = full_precision(logits).softmax(dim=-1).topk(2, dim=-1).values.unbind(-1)
        return 1.0 - (first - second)
