"""The interface every uncertainty estimator keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

__all__ = ["Features", "UncertaintyEstimator"]

Features = Sequence[Tensor]
"""The last hidden layer of each modality, M tensors ``[B, D_m]``."""


class UncertaintyEstimator(nn.Module):
    """Base of all estimators: ``u^m(x)``, one number per sample and modality, higher = worse.

    Attributes
    ----------
    needs : {"logits", "features", "vectors"}
        What it looks at. Those that need ``"features"`` can not be used on bare logits. ``"vectors"``: logits of all
        modalities together, and the vectors that enter the encoders, see `Credibility`.
    """

    needs: ClassVar[Literal["logits", "features", "vectors"]] = "logits"

    def __init__(self, num_modalities: int, feature_dims: Sequence[int] = ()) -> None:
        super().__init__()
        self.num_modalities = num_modalities

    def forward(self, logits: Tensor, features: Features = ()) -> Tensor:
        """Give the uncertainty of each modality of each sample.

        Parameters
        ----------
        logits : Tensor [B, M, K]
            Unimodal logits, any floating type, at least two classes. Computed in float32 whatever the type.
        features : sequence of M tensors [B, D_m]
            Last hidden layers; read only if `needs` is ``"features"``.

        Returns
        -------
        Tensor [B, M], float32
            Higher = worse.
        """
        raise NotImplementedError

    def ceiling(self, num_classes: int) -> float | None:
        """Give the largest value of an uncertainty that is never negative, infinity where it has none.

        From it linear weights take ``beta``, without which they would be negative: the surest modality would count
        most, with the wrong sign.

        Parameters
        ----------
        num_classes : int
            K.

        Returns
        -------
        float or None
            None for one that may be negative, such as the energy, and by default: ``beta`` is 0 then.
        """
        return None

    def auxiliary_loss(self, uncertainty: Tensor, logits: Tensor, target: Tensor) -> Tensor | None:
        """Give the loss by which the estimator itself is trained, or None if it has nothing to learn.

        Parameters
        ----------
        uncertainty : Tensor [B, M]
            What `forward` gave.
        logits : Tensor [B, M, K]
            The unimodal logits.
        target : Tensor [B], int64
            True classes.

        Returns
        -------
        Tensor [B, M] or None
            One loss per sample and modality.
        """
        return None
