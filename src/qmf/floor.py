"""The floor under a classifier where its cross-entropy has to stay finite: in weights and in the theory alike."""

from __future__ import annotations

__all__ = ["FLOOR"]

FLOOR = 0.05
"""``epsilon``: the share of a uniform guess in ``q = (1 - epsilon) p + epsilon / K``, whose cross-entropy is at most
``log(K / epsilon)``."""
