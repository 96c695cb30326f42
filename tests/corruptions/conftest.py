"""Small values of every kind, and what must be known beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

WORDS = "the old Harbour Cafe on 10th street serves clams, rolls & 8 modern soups until half past five every evening"


def make_value(kind: str, i: int = 0) -> Any:
    rng = np.random.default_rng(i)
    rows, columns = np.mgrid[0:40, 0:48]
    smooth = 0.5 + 0.4 * np.sin(rows / (4 + i)) * np.cos(columns / 5)
    if kind == "image":
        # Slanted, so that no grid of coarse pixels fits the stripes.
        stripes = np.where(np.sin((rows * (1 + i / 7) + 1.3 * columns) / 3) > 0, 0.8, 0.2)
        colours = np.stack([smooth, stripes, 1 - smooth], axis=2)
        return np.rint(255 * colours).astype(np.uint8)
    if kind == "depth":
        depth = np.rint(1000 + 4000 * smooth).astype(np.uint16)
        depth[5:12, 6:14] = 0
        return depth
    if kind == "text":
        words = WORDS.split()
        return "  ".join(words[j] for j in rng.permutation(len(words)))
    if kind == "audio":
        t = np.arange(8000) / 16000
        tones = [np.sin(2 * np.pi * f * t + i) for f in (300, 1000, 2000, 3000, 5000, 7000)]
        return (0.1 * np.sum(tones, axis=0)).astype(np.float32)
    return rng.normal(5.0, 2.0, 64).astype(np.float32)


KNOWN: dict[str, dict[str, Any]] = {
    "image": {},
    "depth": {},
    "text": {},
    "audio": {"sample_rate": 16000},
    "vector": {"scale": np.full(64, 2.0), "center": np.full(64, 5.0)},
}


@pytest.fixture
def example() -> Callable[..., Any]:
    return make_value


@pytest.fixture
def known() -> dict[str, dict[str, Any]]:
    return KNOWN
