"""Data sets that come with the package."""

from __future__ import annotations

from qmf.datasets.handwritten import HANDWRITTEN_CITATION, load_handwritten

__all__ = ["HANDWRITTEN_CITATION", "load_handwritten"]
