"""Random numbers that are a function of keys: what a draw belongs to, never when it was made.

A sample's noise, a class's split or an epoch's order is the same whatever else was drawn before it, in whichever
process, batch or subset.
"""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["derive_seed", "keyed_generator"]

Key = str | int | float | None


def _digest(seed: int, keys: tuple[Key, ...]) -> bytes:
    hasher = hashlib.blake2b(digest_size=16)
    for part in (int(seed), *keys):
        text = f"{type(part).__name__}:{part!r}".encode()
        hasher.update(len(text).to_bytes(4, "little") + text)
    return hasher.digest()


def derive_seed(seed: int, *keys: Key) -> int:
    """Give a 63-bit seed that belongs to ``(seed, *keys)`` alone.

    Parameters
    ----------
    seed : int
        The user's seed.
    *keys : str, int, float or None
        What the draw belongs to, for example ``("order", epoch)``. Type counts: ``1`` and ``"1"`` differ.

    Returns
    -------
    int
        In ``[0, 2**63)``, the same on every machine.

    Examples
    --------
    >>> derive_seed(0, "order", 3) == derive_seed(0, "order", 3) != derive_seed(0, "order", 4)
    True
    """
    return int.from_bytes(_digest(seed, keys)[:8], "little") >> 1


def keyed_generator(seed: int, *keys: Key) -> np.random.Generator:
    """Give a NumPy generator whose stream belongs to ``(seed, *keys)`` alone.

    Parameters
    ----------
    seed : int
        The user's seed.
    *keys : str, int, float or None
        What the draws belong to, for example ``("gaussian", sample_id, modality, severity)``.

    Returns
    -------
    numpy.random.Generator
        A fresh generator at the start of its stream.

    Examples
    --------
    >>> bool(keyed_generator(0, "a", 1).random() == keyed_generator(0, "a", 1).random())
    True
    """
    entropy = int.from_bytes(_digest(seed, keys), "little")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
