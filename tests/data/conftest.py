"""Small files of every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.io import savemat

Write = Callable[[str, Any], Path]


def write_file(path: Path, content: Any) -> Path:
    """Write text, bytes, JSON rows, a frame or arrays, as the ending of `path` says."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    elif path.suffix == ".parquet":
        pl.DataFrame(content, strict=False).write_parquet(path)
    elif path.suffix == ".npz":
        np.savez(path, **content)
    else:
        savemat(path, content)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda name, content: write_file(tmp_path / name, content)
