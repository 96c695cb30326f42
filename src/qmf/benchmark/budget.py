"""What every method of the benchmark may spend."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget"]


@dataclass(frozen=True)
class Budget:
    """What every method may spend, and the settings all of them share.

    Attributes
    ----------
    epochs, batch_size, learning_rate, weight_decay
        AdamW with a cosine schedule down to 0, to the last epoch.
    hidden, dropout
        Of each encoder.
    """

    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    hidden: int = 128
    dropout: float = 0.3
