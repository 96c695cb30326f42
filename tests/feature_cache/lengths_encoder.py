"""A frozen encoder that a reader can compute in the head, and that counts its work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Lengths:
    """The features of a text are its length, its first character's code and 1; of a file the same of its bytes."""

    out_features = 3

    def __init__(self, kind: str = "text", fingerprint: str = "lengths-1") -> None:
        self.kind = kind
        self.fingerprint = fingerprint
        self.seen: list[Any] = []

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        self.seen.extend(values)
        return np.array([self._row(value) for value in values], dtype=np.float32).reshape(-1, 3)

    def _row(self, value: Any) -> tuple[float, float, float]:
        if isinstance(value, Path) or self.kind != "text":
            value = Path(value).read_text(encoding="utf-8")
        return len(value), ord(value[0]) if value else 0, 1.0
