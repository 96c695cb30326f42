"""Encode with a cache: every distinct content goes through a frozen encoder once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.encoders.frozen import FrozenEncoder
from qmf.errors import DataError
from qmf.feature_cache.content import content_key
from qmf.feature_cache.housekeeping import mark_used, remove_oldest
from qmf.feature_cache.location import cache_limit, encoder_folder, feature_folder
from qmf.feature_cache.shards import Shard, read_features, read_header, shard_paths, warn_of_shard, write_shard

__all__ = ["SHARD_ROWS", "encode_cached"]

SHARD_ROWS = 256
_MERGE_FROM = 32  # this many shards of less than half SHARD_ROWS become few


def encode_cached(
    encoder: FrozenEncoder,
    values: Sequence[Any],
    *,
    folder: Path | None = None,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Give the features of `values`, encoding only content that the cache does not have.

    Row i is ``encoder.encode([values[i]])``, or NaN where ``values[i]`` is None. A value is known by its content (the
    bytes of a file, the text itself) and the encoder's fingerprint.

    Parameters
    ----------
    encoder : FrozenEncoder
        What turns values into features.
    values : sequence, N
        Paths, texts (for kind ``"text"``; else a ``str`` is a path), bytes or arrays; None where absent.
    folder : pathlib.Path, optional
        The cache. Absent means ``features`` in ``QMF_CACHE`` or in the user's cache folder.
    limit : int, optional
        Bytes the whole cache may take; what was not used for longest goes first. Absent means ``QMF_CACHE_LIMIT`` or
        10 GB; 0 keeps nothing.
    progress : callable, optional
        Called with (done, total) distinct values after the look-up and after every 256 encoded values.

    Returns
    -------
    numpy.ndarray, float32, [N, D]
        One row per value, in order.

    Raises
    ------
    DataError
        If a file cannot be read, a value is of another type, or the encoder gives a wrong shape or a number that is
        not finite.
    ConfigError
        If the limit is not a number of bytes.

    Notes
    -----
    A shard is written every 256 new values, so an interruption loses at most 256. Any number of processes may use
    one folder. Damaged or foreign shards, and a folder that cannot be written, are warned of and worked around.
    """
    room, root = cache_limit(limit), feature_folder(folder)
    own = encoder_folder(root, encoder)
    result = np.full((len(values), encoder.out_features), np.nan, dtype=np.float32)
    missing = _positions(encoder.kind, values)
    total = len(missing)
    small = _look_up(encoder, own, missing, result)
    _report(progress, total - len(missing), total)
    keep = room > 0
    while missing:
        block = {key: missing.pop(key) for key in list(islice(missing, SHARD_ROWS))}
        features = _encode(encoder, [(rows[0], values[rows[0]]) for rows in block.values()])
        for rows, row in zip(block.values(), features, strict=True):
            result[rows] = row
        keep = keep and _store(root, room, partial(write_shard, own, encoder, list(block), features))
        _report(progress, total - len(missing), total)
        if not missing and keep and len(small) >= _MERGE_FROM:
            _store(root, room, partial(_merge, own, encoder, small))
    return result


def _report(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _positions(kind: str, values: Sequence[Any]) -> dict[bytes, list[int]]:
    """Where each distinct content occurs, in order of first occurrence."""
    positions: dict[bytes, list[int]] = {}
    for position, value in enumerate(values):
        if value is not None:
            try:
                key = content_key(value, kind)
            except DataError as error:
                raise DataError(f"Value {position}: {error}") from error
            positions.setdefault(key, []).append(position)
    return positions


def _look_up(
    encoder: FrozenEncoder, own: Path, missing: dict[bytes, list[int]], result: NDArray[np.float32]
) -> list[Shard]:
    """Fill `result` from the shards, taking what is found out of `missing`; give the small shards passed."""
    small: list[Shard] = []
    for path in shard_paths(own):
        if not missing:
            break
        try:
            shard = read_header(path)
            if not shard.belongs_to(encoder):
                raise ValueError("it belongs to another encoder")
            if len(shard.keys) < SHARD_ROWS // 2:
                small.append(shard)
            hits = [(row, key) for row, key in enumerate(shard.key_list()) if key in missing]
            features = read_features(shard) if hits else None
        except (OSError, ValueError) as problem:
            warn_of_shard(path, problem)
            continue
        if features is not None:
            mark_used(path)
            for row, key in hits:
                result[missing.pop(key, [])] = features[row]
    return small


def _encode(encoder: FrozenEncoder, block: list[tuple[int, Any]]) -> NDArray[np.float32]:
    features = np.asarray(encoder.encode([value for _, value in block]), dtype=np.float32)
    expected = (len(block), encoder.out_features)
    if features.shape != expected:
        raise DataError(f"The {encoder.kind} encoder gave features {features.shape}, expected {expected}")
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        position = block[int(np.argmin(finite))][0]
        raise DataError(f"The {encoder.kind} encoder gave a number that is not finite for value {position}")
    return features


def _store(root: Path, room: int, write: Callable[[], object]) -> bool:
    """Write, then make room; False with a warning where the disk does not let us."""
    try:
        write()
        remove_oldest(root, room)
    except OSError as error:
        warnings.warn(
            f"Feature cache: {root} cannot be written ({error}); going on without. Set QMF_CACHE to another folder.",
            UserWarning,
            stacklevel=3,
        )
        return False
    return True


def _merge(own: Path, encoder: FrozenEncoder, small: list[Shard]) -> None:
    """Write the rows of small shards anew in full ones, then remove the small ones."""
    merged: dict[bytes, NDArray[np.float32]] = {}
    read: list[Path] = []
    for shard in small:
        try:
            merged.update(zip(shard.key_list(), read_features(shard), strict=True))
            read.append(shard.path)
        except (OSError, ValueError) as problem:
            warn_of_shard(shard.path, problem)
    keys = list(merged)
    for start in range(0, len(keys), SHARD_ROWS):
        block = keys[start : start + SHARD_ROWS]
        write_shard(own, encoder, block, np.stack([merged[key] for key in block]))
    for path in read:
        path.unlink(missing_ok=True)
