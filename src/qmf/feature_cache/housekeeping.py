"""What lies in the feature cache, keeping it below its limit, and emptying it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from qmf.feature_cache.location import cache_limit, feature_folder
from qmf.feature_cache.shards import read_header, shard_paths

__all__ = ["CacheInfo", "EncoderEntries", "cache_info", "clear_cache", "mark_used", "remove_oldest"]

_ABANDONED = 24 * 3600.0  # seconds after which a temporary file has no living writer


@dataclass(frozen=True)
class EncoderEntries:
    """What one encoder has in the cache.

    Attributes
    ----------
    kind, fingerprint : str
        The encoder.
    out_features : int
        Width D.
    entries : int
        Distinct values.
    bytes : int
        On disk.
    """

    kind: str
    fingerprint: str
    out_features: int
    entries: int
    bytes: int


@dataclass(frozen=True)
class CacheInfo:
    """What lies in a feature cache.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is.
    limit : int
        Bytes it may take, from ``QMF_CACHE_LIMIT`` or the default.
    bytes : int
        Bytes it takes, unreadable shards included.
    encoders : tuple of EncoderEntries
        One per encoder, largest first.
    unreadable : tuple of pathlib.Path
        Damaged or foreign shards.
    """

    folder: Path
    limit: int
    bytes: int
    encoders: tuple[EncoderEntries, ...]
    unreadable: tuple[Path, ...]


def cache_info(folder: Path | None = None) -> CacheInfo:
    """Say what a feature cache holds.

    Parameters
    ----------
    folder : pathlib.Path, optional
        The cache; absent means the default folder.

    Returns
    -------
    CacheInfo
        Entries and bytes per encoder; empty if there is no such folder.

    Raises
    ------
    ConfigError
        If ``QMF_CACHE_LIMIT`` is not a number of bytes.
    """
    root, limit = feature_folder(folder), cache_limit()
    keys: dict[tuple[str, str, int], set[bytes]] = {}
    sizes: dict[tuple[str, str, int], int] = {}
    unreadable: list[Path] = []
    total = 0
    for _, size, path in _files(root):
        total += size
        try:
            shard = read_header(path)
        except (OSError, ValueError):
            unreadable.append(path)
            continue
        encoder = shard.kind, shard.fingerprint, shard.out_features
        keys.setdefault(encoder, set()).update(shard.key_list())
        sizes[encoder] = sizes.get(encoder, 0) + size
    encoders = [EncoderEntries(*encoder, len(keys[encoder]), size) for encoder, size in sizes.items()]
    return CacheInfo(root, limit, total, tuple(sorted(encoders, key=lambda e: -e.bytes)), tuple(unreadable))


def clear_cache(folder: Path | None = None) -> int:
    """Remove all cached features; files that are not shards stay.

    Parameters
    ----------
    folder : pathlib.Path, optional
        The cache; absent means the default folder.

    Returns
    -------
    int
        Bytes freed.
    """
    root = feature_folder(folder)
    freed = sum(size for _, size, path in _files(root) if _remove(path))
    for path in root.glob("*/.shard-*"):
        _remove(path)
    for below in [path for path in root.glob("*") if path.is_dir()]:
        with suppress(OSError):
            below.rmdir()
    return freed


def remove_oldest(root: Path, limit: int) -> int:
    """Remove the shards that have not been used for longest until the cache is within `limit`.

    Parameters
    ----------
    root : pathlib.Path
        The folder of all cached features.
    limit : int
        Bytes, at least 0.

    Returns
    -------
    int
        Bytes the cache takes now.
    """
    files = sorted(_files(root))
    total = sum(size for _, size, _ in files)
    for _, size, path in files:
        if total <= limit:
            break
        if _remove(path):
            total -= size
    for path in root.glob("*/.shard-*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()
    return total


def mark_used(path: Path) -> None:
    """Note on the file itself (its time of change) that a shard was used now."""
    with suppress(OSError):
        os.utime(path)


def _files(root: Path) -> list[tuple[int, int, Path]]:
    """Last use in nanoseconds, bytes and path of every shard."""
    found = []
    for folder in root.glob("*"):
        for path in shard_paths(folder):
            with suppress(OSError):
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, path))
    return found


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError:  # in use by another process on Windows, or not ours
        return False
    return True
