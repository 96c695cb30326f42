"""Encoders: from a modality to features.

`MLPEncoder` is trained with the model. The frozen ones turn texts, pictures and sounds into vectors once (see
`qmf.feature_cache`), and the vectors are a modality like any other. `open_encoder` finds one by its name.

Names are loaded when they are used: processes that only read pictures need no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qmf.encoders.frozen import FrozenEncoder as FrozenEncoder
    from qmf.encoders.hashing_words import HashedWords as HashedWords
    from qmf.encoders.mlp import MLPEncoder as MLPEncoder
    from qmf.encoders.text_features import SentenceFeatures as SentenceFeatures

_HOMES = {
    "FrozenEncoder": "frozen",
    "HashedWords": "hashing_words",
    "MLPEncoder": "mlp",
    "SentenceFeatures": "text_features",
}

__all__ = ["FrozenEncoder", "HashedWords", "MLPEncoder", "SentenceFeatures"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"qmf.encoders.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'qmf.encoders' has no attribute {name!r}")
