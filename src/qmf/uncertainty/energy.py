"""Energy, the uncertainty of the paper."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from qmf.logsumexp import log_sum_exp
from qmf.precision import full_precision
from qmf.uncertainty.base import Features, UncertaintyEstimator

__all__ = ["Energy"]


class Energy(UncertaintyEstimator):
    """Free energy of the logits, ``E^m = -T_m logsumexp_k(f^m_k / T_m)``.

    Parameters
    ----------
    num_modalities : int
        M.
    feature_dims : sequence of int
        Not used.
    temperature : float or sequence of M floats, default 1
        ``T_m > 0``.

    Attributes
    ----------
    unit_temperature : bool
        True if all temperatures are 1.

    Raises
    ------
    ValueError
        If a temperature is not positive, or their number is not M.

    Notes
    -----
    Not invariant to a shift: a constant added to one modality's logits leaves its softmax alone and changes its
    energy. Unbounded in both directions.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 3.3; Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020.

    Examples
    --------
    >>> Energy(1)(torch.zeros(1, 1, 2))
    tensor([[-0.6931]])
    """

    def __init__(
        self,
        num_modalities: int,
        feature_dims: Sequence[int] = (),
        temperature: float | Sequence[float] = 1.0,
    ) -> None:
        super().__init__(num_modalities, feature_dims)
        values = torch.as_tensor(temperature, dtype=torch.float32).expand(num_modalities).clone()
        if not bool((values > 0).all()):
            raise ValueError(f"temperature must be positive, got {temperature}")
        self.temperature: Tensor
        self.register_buffer("temperature", values)
        self.unit_temperature = bool((values == 1).all())

    def forward(self, logits: Tensor, features: Features = ()) -> Tensor:
        """Give ``E^m``; see `UncertaintyEstimator.forward`."""
        if self.unit_temperature:
            return -log_sum_exp(full_precision(logits))
        return -self.temperature * log_sum_exp(full_precision(logits) / self.temperature[:, None])
