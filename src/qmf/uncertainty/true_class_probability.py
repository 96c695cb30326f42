"""A small network per modality that learns to say how probable the true class is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qmf.precision import full_precision
from qmf.uncertainty.base import Features, UncertaintyEstimator

__all__ = ["TrueClassProbability"]


class TrueClassProbability(UncertaintyEstimator):
    """Learned failure, ``u = 1 - c^m(h^m)`` where ``c^m`` predicts ``p^m_y``, the probability of the true class.

    The network sees the features detached, so that learning to doubt never changes what is doubted. Trained with the
    absolute error to the true-class probability.

    Parameters
    ----------
    num_modalities : int
        M.
    feature_dims : sequence of M ints
        Width ``D_m`` of each modality's last hidden layer.
    hidden : int, default 32
        Width of the hidden layer of each network.

    Raises
    ------
    ValueError
        If the number of `feature_dims` is not M.

    References
    ----------
    Corbiere et al., Addressing Failure Prediction by Learning Model Confidence, NeurIPS 2019; PDF (Cao et al., ICML
    2024), section 3.2.
    """

    needs = "features"

    def __init__(self, num_modalities: int, feature_dims: Sequence[int] = (), hidden: int = 32) -> None:
        super().__init__(num_modalities, feature_dims)
        if len(feature_dims) != num_modalities:
            raise ValueError(f"feature_dims has {len(feature_dims)} entries for {num_modalities} modalities")
        self.networks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1)) for width in feature_dims
        )

    def ceiling(self, num_classes: int) -> float:
        """Give the largest value; see `UncertaintyEstimator.ceiling`."""
        return 1.0

    def forward(self, logits: Tensor, features: Features = ()) -> Tensor:
        """Give ``1 - c^m(h^m)``, in ``(0, 1)``; see `UncertaintyEstimator.forward`."""
        scores = [network(h.detach()) for network, h in zip(self.networks, features, strict=True)]
        return 1.0 - full_precision(torch.cat(scores, dim=-1)).sigmoid()

    def auxiliary_loss(self, uncertainty: Tensor, logits: Tensor, target: Tensor) -> Tensor:
        """Give ``|(1 - u) - p_y|``; see `UncertaintyEstimator.auxiliary_loss`."""
        with torch.no_grad():
            p = full_precision(logits).softmax(dim=-1)
            p_true = p.gather(-1, target[:, None, None].expand(-1, p.shape[1], 1)).squeeze(-1)
        return ((1.0 - uncertainty) - p_true).abs()
