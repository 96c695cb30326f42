"""Encoders: from a modality to features.

`MLPEncoder` is trained with the model. `SentenceFeatures` and `HashedWords` are frozen: they turn texts into vectors
once (see `qmf.feature_cache`), and the vectors are a modality like any other.
"""

from __future__ import annotations

from qmf.encoders.frozen import FrozenEncoder
from qmf.encoders.hashing_words import HashedWords
from qmf.encoders.mlp import MLPEncoder
from qmf.encoders.text_features import SentenceFeatures

__all__ = ["FrozenEncoder", "HashedWords", "MLPEncoder", "SentenceFeatures"]
