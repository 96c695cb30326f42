"""Test-time noise as the QMF paper's experiments have it; `corrupt` has the same kinds at severities 1 to 5.

One departure: the official code seeds NumPy inside the transform, so that all images of one size share a field; here
every draw belongs to the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from qmf.corruptions.pictures import as_array
from qmf.corruptions.text import blank_words
from qmf.corruptions.values import open_text
from qmf.errors import ConfigError, DataError
from qmf.randomness import keyed_generator

__all__ = ["PAPER_NOISES", "paper_corrupt", "paper_hit"]

Pixels = NDArray[np.uint8]
Value = TypeVar("Value")

HIT_RATE = 0.5
STD_PER_EPSILON = {"image-text": 10.0, "rgb-d": 1.0}
SALT_AND_PEPPER_DENSITY = 0.1
SALT_AND_PEPPER_RATE_PER_EPSILON = {"2023": 0.1, "2025": 0.01}
BLANK_RATE_PER_EPSILON = 0.1

PAPER_NOISES: dict[str, dict[str, Any]] = {
    "paper_gaussian": {"noise": "gaussian_noise"},
    "paper_gaussian_wrap": {"noise": "gaussian_noise", "overflow": "wrap"},
    "paper_gaussian_rgbd": {"noise": "gaussian_noise", "setting": "rgb-d"},
    "paper_gaussian_rgbd_wrap": {"noise": "gaussian_noise", "setting": "rgb-d", "overflow": "wrap"},
    "paper_salt_and_pepper": {"noise": "salt_and_pepper"},
    "paper_salt_and_pepper_2025": {"noise": "salt_and_pepper", "revision": "2025"},
    "paper_blank_words": {"noise": "blank_words"},
}
"""Name to the options of `paper_corrupt`: the protocol's variants, where one word must say which is meant."""


def paper_hit(seed: int, sample_id: str, modality: str) -> bool:
    """Tell whether a sample's modality is one of the half that the paper's protocol corrupts.

    Parameters
    ----------
    seed : int
        The user's seed.
    sample_id, modality : str
        Which one; the draw depends on nothing else, so the same are hit at each epsilon and by each noise.

    Returns
    -------
    bool
        True with probability 0.5.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 4, and its official code.

    Examples
    --------
    >>> paper_hit(0, "7", "image") in (True, False)
    True
    """
    return bool(keyed_generator(seed, "paper", "hit", str(sample_id), str(modality)).random() < HIT_RATE)


def paper_corrupt(
    value: Value,
    noise: Literal["gaussian_noise", "salt_and_pepper", "blank_words"],
    epsilon: float,
    *,
    seed: int,
    sample_id: str,
    modality: str,
    setting: Literal["image-text", "rgb-d"] = "image-text",
    revision: Literal["2023", "2025"] = "2023",
    overflow: Literal["clip", "wrap"] = "clip",
) -> Value:
    """Give one sample's modality under the paper's noise; untouched if `paper_hit` says so or epsilon is 0.

    "gaussian_noise": ``x + s n``, one field ``n ~ N(0, 1)`` for all channels, ``s = 10 epsilon`` grey levels
    ("image-text") or ``epsilon`` ("rgb-d"). "salt_and_pepper": with probability ``epsilon / 10`` ("2023") or
    ``epsilon / 100`` ("2025"), each pixel is 0 or 255 with probability 0.05 each. "blank_words": each word becomes
    "_" with probability ``epsilon / 10``.

    Parameters
    ----------
    value : ndarray, PIL image or str
        uint8 ``[H, W]`` or ``[H, W, C]`` (depth too), PIL L or RGB, or text for "blank_words". Never changed.
    noise : str
        One of the three above.
    epsilon : float
        The paper's noise level, in [0, 10]; the paper has 0, 5 and 10.
    seed : int
        The user's seed.
    sample_id, modality : str
        What the value belongs to.
    setting : {"image-text", "rgb-d"}, default "image-text"
        Whose grey levels per epsilon; only for Gaussian noise.
    revision : {"2023", "2025"}, default "2023"
        The official code before June 2025, or since; only for salt-and-pepper.
    overflow : {"clip", "wrap"}, default "clip"
        What becomes of sums outside [0, 255]. "clip": rounded, cut off at both ends. "wrap": as the official code,
        cut off above, fraction dropped, negatives modulo 256 (-3 becomes 253); only for Gaussian noise.

    Returns
    -------
    ndarray, PIL image or str
        Same type, shape and dtype as `value`.

    Raises
    ------
    ConfigError
        If a name is unknown or epsilon is not in [0, 10].
    DataError
        If the value is neither uint8 picture nor, for "blank_words", text.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 4, and its official code.

    Examples
    --------
    >>> paper_corrupt("a b", "blank_words", 0, seed=0, sample_id="7", modality="title")
    'a b'
    """
    _check("setting", setting, STD_PER_EPSILON)
    _check("revision", revision, SALT_AND_PEPPER_RATE_PER_EPSILON)
    _check("overflow", overflow, OVERFLOWS)
    functions: dict[str, Callable[..., Any]] = {
        "gaussian_noise": partial(_gaussian, std=STD_PER_EPSILON[setting] * epsilon, overflow=overflow),
        "salt_and_pepper": partial(_salt_and_pepper, rate=SALT_AND_PEPPER_RATE_PER_EPSILON[revision] * epsilon),
        "blank_words": partial(blank_words, rate=BLANK_RATE_PER_EPSILON * epsilon),
    }
    _check("noise", noise, functions)
    if not 0 <= epsilon <= 10:
        raise ConfigError(f"The paper's noise level epsilon must lie in [0, 10], got {epsilon!r}.")
    where = f"Sample {str(sample_id)!r}, modality {modality!r}"
    opened, close = open_text(value, where) if noise == "blank_words" else _open_pixels(value, where)
    if epsilon == 0 or not paper_hit(seed, sample_id, modality):
        return cast(Value, close(opened.copy() if isinstance(opened, np.ndarray) else opened))
    rng = keyed_generator(seed, "paper", noise, str(sample_id), str(modality), float(epsilon))
    return cast(Value, close(functions[noise](opened, rng)))


def _gaussian(pixels: Pixels, rng: np.random.Generator, *, std: float, overflow: str) -> Pixels:
    field = std * rng.standard_normal(pixels.shape[:2])
    total = pixels + field.reshape(*field.shape, *[1] * (pixels.ndim - 2))
    return OVERFLOWS[overflow](total)


def _clip(total: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(total), 0, 255).astype(np.uint8)


def _wrap(total: NDArray[np.float64]) -> Pixels:
    return (np.trunc(np.minimum(total, 255)).astype(np.int64) % 256).astype(np.uint8)


OVERFLOWS = {"clip": _clip, "wrap": _wrap}


def _salt_and_pepper(pixels: Pixels, rng: np.random.Generator, *, rate: float) -> Pixels:
    noisy = pixels.copy()
    if rng.random() < rate:
        draw = rng.random(pixels.shape[:2])
        noisy[draw < SALT_AND_PEPPER_DENSITY] = 255
        noisy[draw < SALT_AND_PEPPER_DENSITY / 2] = 0
    return noisy


def _open_pixels(value: Any, where: str) -> tuple[Any, Any]:
    array, close = as_array(value, where)
    if array.dtype != np.uint8:
        raise DataError(f"{where}: the paper's noise is for uint8 pictures, got {array.dtype}.")
    return array, close


def _check(what: str, given: str, known: dict[str, Any]) -> None:
    if given not in known:
        raise ConfigError(f"Unknown {what} {given!r}; it is one of: {', '.join(known)}.")
