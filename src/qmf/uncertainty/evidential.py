"""Vacuity of a Dirichlet built from evidence."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from qmf.precision import full_precision
from qmf.uncertainty.base import Features, UncertaintyEstimator

__all__ = ["EvidentialVacuity"]


class EvidentialVacuity(UncertaintyEstimator):
    """Vacuity, ``u = K / S`` with ``S = sum_k (softplus(f_k) + 1)``, in ``(0, 1)``.

    Evidence is ``e = softplus(f)`` and the Dirichlet parameter ``alpha = e + 1``.

    References
    ----------
    Sensoy et al., Evidential Deep Learning, NeurIPS 2018; Han et al., Trusted Multi-View Classification, ICLR 2021,
    section 3.1.

    Examples
    --------
    >>> import torch
    >>> EvidentialVacuity(1)(torch.full((1, 1, 3), -1e4))
    tensor([[1.]])
    """

    def ceiling(self, num_classes: int) -> float:
        """Give the largest value; see `UncertaintyEstimator.ceiling`."""
        return 1.0

    def forward(self, logits: Tensor, features: Features = ()) -> Tensor:
        """Give the vacuity; see `UncertaintyEstimator.forward`."""
        num_classes = logits.shape[-1]
        return num_classes / (F.softplus(full_precision(logits)).sum(dim=-1) + num_classes)
