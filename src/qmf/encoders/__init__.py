"""Encoders: from a modality's tensor to features, each with an ``out_features``."""

from __future__ import annotations

from qmf.encoders.mlp import MLPEncoder

__all__ = ["MLPEncoder"]
