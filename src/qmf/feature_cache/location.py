"""Where cached features lie and how much room they may take."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from qmf.encoders.frozen import FrozenEncoder, cache_home
from qmf.errors import ConfigError

__all__ = ["DEFAULT_LIMIT", "cache_limit", "encoder_folder", "feature_folder"]

DEFAULT_LIMIT = 10 * 10**9


def feature_folder(folder: Path | None = None) -> Path:
    """Give the folder of all cached features.

    Parameters
    ----------
    folder : pathlib.Path, optional
        The user's choice; absent means ``features`` in `cache_home`.

    Returns
    -------
    pathlib.Path
        It need not exist yet.
    """
    return cache_home() / "features" if folder is None else Path(folder).expanduser()


def encoder_folder(folder: Path, encoder: FrozenEncoder) -> Path:
    """Give the folder of one encoder's shards: its kind and a hash of its fingerprint.

    Parameters
    ----------
    folder : pathlib.Path
        The folder of all cached features.
    encoder : FrozenEncoder
        The encoder.

    Returns
    -------
    pathlib.Path
        A folder directly below `folder`.
    """
    digest = hashlib.blake2b(f"{encoder.kind}\0{encoder.fingerprint}".encode(), digest_size=10).hexdigest()
    return folder / f"{''.join(c for c in encoder.kind if c.isalnum())}-{digest}"


def cache_limit(limit: int | None = None) -> int:
    """Give the size limit of the feature cache.

    Parameters
    ----------
    limit : int, optional
        Bytes, at least 0 (0 keeps nothing). Absent means ``QMF_CACHE_LIMIT`` or 10 GB.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    ConfigError
        If the limit is not a whole number of bytes of at least 0.

    Examples
    --------
    >>> cache_limit(5)
    5
    """
    source, text = ("limit", limit) if limit is not None else ("QMF_CACHE_LIMIT", os.environ.get("QMF_CACHE_LIMIT"))
    try:
        number = int(text) if text not in (None, "") else DEFAULT_LIMIT
    except ValueError:
        number = -1
    if number < 0:
        raise ConfigError(f"{source} is {text!r}, must be a whole number of bytes of at least 0")
    return number
