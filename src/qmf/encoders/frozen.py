"""Frozen encoders: what all of them offer, where their files lie, and whether they may download."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FrozenEncoder", "cache_home", "is_offline"]


class FrozenEncoder(Protocol):
    """Turns raw values (texts, files) into features that training never changes.

    Attributes
    ----------
    kind : str
        ``"image"``, ``"text"``, ``"depth"`` or ``"audio"``.
    out_features : int
        Width D of a row.
    fingerprint : str
        Hash of weights, preprocessing and version: equal fingerprints give equal features.
    """

    kind: str
    out_features: int
    fingerprint: str

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give the features ``[n, out_features]`` of `values`, row i for value i; absent values do not come here."""
        ...


def cache_home() -> Path:
    """Give the folder for what can be computed or unpacked again; it is not made here.

    Returns
    -------
    pathlib.Path
        ``QMF_CACHE`` if set, else ``qmf`` in ``XDG_CACHE_HOME`` or in the platform's cache folder (``~/.cache``,
        ``~/Library/Caches``, ``%LOCALAPPDATA%``).
    """
    chosen = os.environ.get("QMF_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared:
        return Path(shared) / "qmf"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "qmf"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "qmf"
    return Path.home() / ".cache" / "qmf"


def is_offline() -> bool:
    """Say whether downloads are forbidden.

    Returns
    -------
    bool
        True if the environment has ``QMF_OFFLINE`` and it is neither empty nor ``0``.
    """
    return os.environ.get("QMF_OFFLINE", "") not in ("", "0")
