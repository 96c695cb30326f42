"""Entropy of the softmax."""

from __future__ import annotations

import math

from torch import Tensor

from qmf.precision import full_precision
from qmf.uncertainty.base import Features, UncertaintyEstimator

__all__ = ["Entropy"]


class Entropy(UncertaintyEstimator):
    """Shannon entropy, ``u = -sum_k p_k ln p_k`` in nats, in ``[0, ln K]``.

    References
    ----------
    Shannon, A Mathematical Theory of Communication, 1948.

    Examples
    --------
    >>> import torch
    >>> Entropy(1)(torch.zeros(1, 1, 2))
    tensor([[0.6931]])
    """

    def ceiling(self, num_classes: int) -> float:
        """Give the largest value; see `UncertaintyEstimator.ceiling`."""
        return math.log(num_classes)

    def forward(self, logits: Tensor, features: Features = ()) -> Tensor:
        """Give the entropy; see `UncertaintyEstimator.forward`."""
        log_p = full_precision(logits).log_softmax(dim=-1)
        return -(log_p.exp() * log_p).sum(dim=-1)
