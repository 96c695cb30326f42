"""Modality dropout: in training, a modality that is there is now and then treated as absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from qmf.errors import ConfigError
from qmf.randomness import derive_seed

__all__ = ["dropout_rates", "dropped_presence"]


def dropout_rates(given: float | Mapping[str, float], modalities: Sequence[str]) -> tuple[float, ...]:
    """Give the rate of each modality.

    Parameters
    ----------
    given : float or mapping of str to float
        One rate for all; or by modality, where those not named are protected: they are never dropped.
    modalities : sequence of M str
        In order.

    Returns
    -------
    tuple of M float
        In [0, 1).

    Raises
    ------
    ConfigError
        If a rate is outside [0, 1) or a modality is unknown.
    """
    rates = dict(given) if isinstance(given, Mapping) else dict.fromkeys(modalities, given)
    for name, rate in rates.items():
        if name not in modalities:
            raise ConfigError(f"modality_dropout: no modality {name!r}; expected some of {', '.join(modalities)}.")
        if not 0 <= rate < 1:
            raise ConfigError(f"modality_dropout={rate!r} for {name!r}: expected a rate in [0, 1).")
    return tuple(float(rates.get(name, 0.0)) for name in modalities)


def dropped_presence(present: Tensor, rates: Sequence[float], seed: int, epoch: int) -> Tensor:
    """Give what is left of the modalities in one epoch; every sample keeps at least one.

    Sample i loses modality m with its rate, independently, by a draw that belongs to (seed, epoch, i, m). A sample
    that would lose all keeps the one with the largest draw among those it has.

    Parameters
    ----------
    present : Tensor [N, M], bool
        What is there.
    rates : sequence of M float
        From `dropout_rates`.
    seed, epoch : int
        Keys of the draws.

    Returns
    -------
    Tensor [N, M], bool
        A subset of `present`.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "modality dropout", epoch))
    draws = torch.rand(present.shape, generator=generator)
    kept = present & (draws >= torch.tensor(rates))
    luckiest = torch.where(present, draws, -1.0).argmax(dim=1)
    bare = ~kept.any(dim=1)
    kept[bare, luckiest[bare]] = True
    return kept & present
