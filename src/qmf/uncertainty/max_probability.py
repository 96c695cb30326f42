"""Maximum softmax probability."""

from __future__ import annotations

from torch import Tensor

from qmf.precision import full_precision
from qmf.uncertainty.base import Features, UncertaintyEstimator

__all__ = ["MaxProbability"]


class MaxProbability(UncertaintyEstimator):
    """Lack of confidence, ``u = 1 - max_k p_k``, in ``[0, 1 - 1/K]``.

    References
    ----------
    Hendrycks and Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution Examples, ICLR 2017.

    Examples
    --------
    >>> import torch
    >>> MaxProbability(1)(torch.zeros(1, 1, 4))
    tensor([[0.7500]])
    """

    def ceiling(self, num_classes: int) -> float:
        """Give the largest value; see `UncertaintyEstimator.ceiling`."""
        return 1.0 - 1.0 / num_classes

    def forward(self, logits: Tensor, features: Features = ()) -> Tensor:
        """Give ``1 - max_k p_k``; see `UncertaintyEstimator.forward`."""
        return 1.0 - full_precision(logits).softmax(dim=-1).amax(dim=-1)
