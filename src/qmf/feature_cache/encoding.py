"""Encode with a cache: every distinct content goes through a frozen encoder once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.data import Unreadable
from qmf.encoders.frozen import FrozenEncoder
from qmf.errors import DataError
from qmf.feature_cache.content import content_key
from qmf.feature_cache.housekeeping import mark_used, remove_oldest
from qmf.feature_cache.location import cache_limit, encoder_folder, feature_folder
from qmf.feature_cache.reading import reading
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
    workers: int = 0,
    problems: dict[int, str] | None = None,
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
    workers : int, default 0
        Processes that read values (``encoder.reader``) ahead of the encoder; 0 reads in this one. Needs the usual
        ``if __name__ == "__main__":`` in a script.
    problems : dict, optional
        Where given, a value that cannot be read is no error: its position and the reason are put here, and its row
        is NaN.

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
    found: dict[int, str] = {}
    missing = _positions(encoder.kind, values, found)
    total = len(missing)
    small = _look_up(encoder, own, missing, result)
    done = total - len(missing)
    _report(progress, done, total)
    keep = room > 0
    for block, features in _encoded(encoder, values, missing, workers if missing else 0, found):
        for rows, row in zip(block.values(), features, strict=True):
            result[rows] = row
        keep = keep and bool(block) and _store(root, room, partial(write_shard, own, encoder, list(block), features))
        done = min(done + SHARD_ROWS, total)
        _report(progress, done, total)
    if missing and keep and len(small) >= _MERGE_FROM:
        _store(root, room, partial(_merge, own, encoder, small))
    if problems is not None:
        problems.update(found)
    elif found:
        position = min(found)
        raise DataError(f"Value {position}: {found[position]}")
    return result


Block = dict[bytes, list[int]]


def _encoded(
    encoder: FrozenEncoder, values: Sequence[Any], missing: Block, workers: int, problems: dict[int, str]
) -> Iterator[tuple[Block, NDArray[np.float32]]]:
    """Encode what the cache does not have, block by block; the next block is read meanwhile."""
    items = list(missing.items())
    blocks = [dict(items[start : start + SHARD_ROWS]) for start in range(0, len(items), SHARD_ROWS)]
    reader = getattr(encoder, "reader", None)
    forward = encoder.encode if reader is None else encoder.forward  # type: ignore[attr-defined]
    with reading(reader or _as_it_is, workers if reader is not None else 0) as read:
        ahead = None
        for number, block in enumerate(blocks):
            first = [values[rows[0]] for rows in block.values()]
            arriving = ahead or read(first)
            following = blocks[number + 1] if number + 1 < len(blocks) else {}
            ahead = read([values[rows[0]] for rows in following.values()]) if following else None
            pairs = list(zip(block.items(), arriving, strict=True))
            for (_, rows), prepared in pairs:
                if isinstance(prepared, Unreadable):
                    problems |= dict.fromkeys(rows, prepared.reason)
            good = [(key, rows, prepared) for (key, rows), prepared in pairs if not isinstance(prepared, Unreadable)]
            yield {key: rows for key, rows, _ in good}, _encode(encoder, forward, [(r[0], p) for _, r, p in good])


def _as_it_is(value: Any) -> Any:
    return value


def _report(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _positions(kind: str, values: Sequence[Any], problems: dict[int, str]) -> Block:
    """Where each distinct content occurs, in order of first occurrence; what has none is noted in `problems`."""
    positions: dict[bytes, list[int]] = {}
    for position, value in enumerate(values):
        if isinstance(value, Unreadable):
            problems[position] = value.reason
        elif value is not None:
            try:
                positions.setdefault(content_key(value, kind), []).append(position)
            except DataError as error:
                problems[position] = str(error)
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


def _encode(
    encoder: FrozenEncoder, forward: Callable[[list[Any]], Any], block: list[tuple[int, Any]]
) -> NDArray[np.float32]:
    if not block:
        return np.zeros((0, encoder.out_features), dtype=np.float32)
    features = np.asarray(forward([value for _, value in block]), dtype=np.float32)
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
