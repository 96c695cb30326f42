"""Shards: immutable safetensors files of keys and features, each written once under its own name.

A shard holds ``keys`` (uint8 ``[n, 16]``) and ``features`` (float32 ``[n, D]``), and in its metadata the encoder it
belongs to and a checksum. Writers never share a file, so they need no lock; readers take what they find.
"""

from __future__ import annotations

import secrets
import warnings
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qmf.encoders.frozen import FrozenEncoder
from qmf.feature_cache.content import KEY_BYTES
from qmf.files import atomic_write_bytes

__all__ = ["Shard", "read_features", "read_header", "shard_paths", "warn_of_shard", "write_shard"]

_FORMAT = "qmf-features-1"


@dataclass(frozen=True)
class Shard:
    """What a shard says of itself, without its features.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    kind, fingerprint : str
        The encoder it belongs to.
    out_features : int
        Width D.
    checksum : int
        CRC-32 of keys and features.
    keys : numpy.ndarray, uint8, [n, 16]
        Content keys, row by row.
    """

    path: Path
    kind: str
    fingerprint: str
    out_features: int
    checksum: int
    keys: NDArray[np.uint8]

    def belongs_to(self, encoder: FrozenEncoder) -> bool:
        """Say whether `encoder` made these features."""
        mine = (self.kind, self.fingerprint, self.out_features)
        return mine == (encoder.kind, encoder.fingerprint, encoder.out_features)

    def key_list(self) -> list[bytes]:
        """Give the keys as bytes, row by row."""
        data = self.keys.tobytes()
        return [data[start : start + KEY_BYTES] for start in range(0, len(data), KEY_BYTES)]


def shard_paths(folder: Path) -> Iterator[Path]:
    """Give the shards directly in `folder`, none if there is no such folder."""
    return iter(sorted(folder.glob("shard-*.safetensors")))


def write_shard(folder: Path, encoder: FrozenEncoder, keys: list[bytes], features: NDArray[np.float32]) -> Path:
    """Write one new shard; it appears whole or not at all.

    Parameters
    ----------
    folder : pathlib.Path
        The encoder's folder, made if needed.
    encoder : FrozenEncoder
        Who made the features.
    keys : list of bytes, n
        Content keys.
    features : numpy.ndarray, float32, [n, D]
        One row per key.

    Returns
    -------
    pathlib.Path
        The new file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    from safetensors.numpy import save

    rows = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), KEY_BYTES)
    features = np.ascontiguousarray(features, dtype=np.float32)
    metadata = {
        "format": _FORMAT,
        "kind": encoder.kind,
        "fingerprint": encoder.fingerprint,
        "out_features": str(encoder.out_features),
        "crc32": str(_checksum(rows, features)),
    }
    path = folder / f"shard-{secrets.token_hex(8)}.safetensors"
    atomic_write_bytes(path, save({"keys": rows, "features": features}, metadata=metadata))
    return path


def read_header(path: Path) -> Shard:
    """Read a shard's metadata and keys, not its features.

    Raises
    ------
    OSError
        If the file is gone or cannot be read.
    ValueError
        If it is damaged or not a shard of this format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise ValueError(f"its format is {metadata.get('format')!r}, not {_FORMAT!r}")
            keys, shape = file.get_tensor("keys"), file.get_slice("features").get_shape()
        shard = Shard(
            path, metadata["kind"], metadata["fingerprint"], int(metadata["out_features"]), int(metadata["crc32"]), keys
        )
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"it is damaged ({error})") from error
    if keys.dtype != np.uint8 or keys.shape != (shape[0], KEY_BYTES) or shape[1:] != [shard.out_features]:
        raise ValueError(f"its shapes are {list(keys.shape)} and {shape}")
    return shard


def read_features(shard: Shard) -> NDArray[np.float32]:
    """Read the features of a shard and check them.

    Returns
    -------
    numpy.ndarray, float32, [n, D]
        Row i belongs to key i.

    Raises
    ------
    OSError
        If the file is gone or cannot be read.
    ValueError
        If the checksum is not that of the keys and features.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(shard.path, framework="numpy") as file:
            features: NDArray[np.float32] = file.get_tensor("features")
    except SafetensorError as error:
        raise ValueError(f"it is damaged ({error})") from error
    if features.dtype != np.float32 or _checksum(shard.keys, features) != shard.checksum:
        raise ValueError("its checksum is wrong")
    return features


def warn_of_shard(path: Path, problem: Exception) -> None:
    """Warn that a shard is ignored; one that another process has just removed is nothing to warn of."""
    with suppress(OSError):
        if isinstance(problem, FileNotFoundError) or not path.exists():
            return
    warnings.warn(
        f"Feature cache: {path} is ignored, {problem}; its features are computed again. Delete that file.",
        UserWarning,
        stacklevel=2,
    )


def _checksum(keys: NDArray[np.uint8], features: NDArray[np.float32]) -> int:
    return zlib.crc32(features.data, zlib.crc32(keys.tobytes()))
