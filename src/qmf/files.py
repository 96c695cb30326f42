"""Files that are either whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["atomic_path", "atomic_write_bytes", "atomic_write_text"]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well, it becomes `path` in one step.

    Parameters
    ----------
    path : pathlib.Path
        The file to write. Its folder is made if needed; an older file stays whole until it is replaced.

    Yields
    ------
    pathlib.Path
        Where to write. It keeps the ending of `path`. Removed if the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(6)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that no reader ever sees half of it.

    Parameters
    ----------
    path : pathlib.Path
        The file to write.
    data : bytes
        Its new content.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def atomic_write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path` so that no reader ever sees half of it.

    Parameters
    ----------
    path : pathlib.Path
        The file to write.
    text : str
        Its new content.
    """
    atomic_write_bytes(path, text.encode("utf-8"))
