"""The key of a value: a hash of what the encoder would see, never of its name or place."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from qmf.errors import DataError

__all__ = ["KEY_BYTES", "content_key"]

KEY_BYTES = 16


def content_key(value: Any, kind: str) -> bytes:
    """Hash the content of one value.

    Parameters
    ----------
    value : str, path-like, bytes, numpy.ndarray, or a change (`CroppedFile`, `CorruptedFile`) of one
        For kind ``"text"`` a ``str`` is the text itself, for other kinds the path of a file. A path counts as the
        bytes of its file, an array as its type, shape and numbers.
    kind : str
        The encoder's kind.

    Returns
    -------
    bytes
        16 bytes: equal for equal content.

    Raises
    ------
    DataError
        If the file cannot be read or the value is of another type.

    Examples
    --------
    >>> content_key("a dog", "text") == content_key("a dog", "text") != content_key("a cat", "text")
    True
    """
    hasher = hashlib.blake2b(digest_size=KEY_BYTES)
    if hasattr(value, "apply") and hasattr(value, "source"):
        hasher.update(f"{type(value).__name__}\0{value.key}\0".encode() + content_key(value.source, kind))
    elif isinstance(value, os.PathLike) or (isinstance(value, str) and kind != "text"):
        hasher.update(b"file\0" + _file_digest(Path(value)))
    elif isinstance(value, str):
        hasher.update(b"text\0" + value.encode("utf-8", "surrogatepass"))
    elif isinstance(value, bytes):
        hasher.update(b"bytes\0" + value)
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        hasher.update(f"array\0{value.dtype.str}{value.shape}\0".encode())
        hasher.update(np.ascontiguousarray(value).tobytes())
    else:
        raise DataError(
            f"a value of kind {kind} is a {type(value).__name__}; give a text, a path, bytes, a NumPy array, "
            "or None where it is absent"
        )
    return hasher.digest()


def _file_digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").digest()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
