"""All corruptions with their five severities, and which of them models are evaluated on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qmf.corruptions.audio import band_limit, clipping, dropouts, noise_snr
from qmf.corruptions.corruption import SEVERITIES, Corruption, Parameter
from qmf.corruptions.image_blur import defocus_blur, gaussian_blur, low_resolution, motion_blur
from qmf.corruptions.image_light import brightness, contrast, fog
from qmf.corruptions.image_noise import gaussian_noise, salt_and_pepper, shot_noise
from qmf.corruptions.image_sensor import dead_sensor, depth_holes, jpeg, occlusion
from qmf.corruptions.text import (
    blank_words,
    gibberish,
    ocr_confusions,
    shuffle_words,
    truncate,
    typos,
    word_drop,
)
from qmf.corruptions.vector import (
    feature_dropout,
    feature_gain,
    feature_gaussian,
    feature_salt_and_pepper,
    feature_stuck,
    zeroed,
)

__all__ = ["CORRUPTIONS", "DEVELOPMENT", "EVALUATION_SUITE", "KINDS"]

KINDS = ("image", "depth", "text", "audio", "vector")

IMAGE, DEPTH, TEXT = frozenset({"image"}), frozenset({"depth"}), frozenset({"text"})
AUDIO, VECTOR = frozenset({"audio"}), frozenset({"vector"})
CAMERA, SIGNAL = IMAGE | DEPTH, VECTOR | AUDIO

IMAGENET_C = "ImageNet-C (Hendrycks & Dietterich, ICLR 2019)"
PIXELATE = "after " + IMAGENET_C + ", pixelate: enlarged smoothly, own factors"
AT_224 = "after " + IMAGENET_C + ": its lengths at 224 pixels, rounded"
OWN_LENGTHS = "after " + IMAGENET_C + ": straight, evenly weighted, own lengths"
WHOLE_PIXELS = "after " + IMAGENET_C + ", impulse noise: whole pixels"
QMF = "QMF (Zhang et al., ICML 2023), section 4"
KOSCHMIEDER = "law of Koschmieder (1924); in ImageNet-C by other means"
OWN = "own"

RANGE = "part of full range"
SIDE = "part of the shorter side"
WORDS = "probability per word"
FEATURES = "probability per feature"


def _named(
    function: Callable[..., Any],
    kinds: frozenset[str],
    source: str,
    *,
    needs: tuple[str, ...] = (),
    per_sensor: bool = False,
    **parameters: Parameter,
) -> Corruption:
    return Corruption(function.__name__, kinds, function, parameters, source, needs, per_sensor)


CORRUPTIONS: dict[str, Corruption] = {
    corruption.name: corruption
    for corruption in (
        _named(gaussian_noise, CAMERA, IMAGENET_C, sigma=Parameter((0.08, 0.12, 0.18, 0.26, 0.38), RANGE, 0, 10)),
        _named(
            shot_noise, CAMERA, IMAGENET_C, photons=Parameter((60, 25, 12, 5, 3), "photons at full range", 0.1, 1e6)
        ),
        _named(
            salt_and_pepper,
            CAMERA,
            WHOLE_PIXELS,
            density=Parameter((0.03, 0.06, 0.09, 0.17, 0.27), "part of the pixels", 0, 1),
        ),
        _named(gaussian_blur, CAMERA, AT_224, sigma=Parameter((0.005, 0.01, 0.015, 0.02, 0.03), SIDE, 0, 1)),
        _named(motion_blur, CAMERA, OWN_LENGTHS, length=Parameter((0.05, 0.08, 0.12, 0.17, 0.24), SIDE, 0, 1)),
        _named(defocus_blur, CAMERA, AT_224, radius=Parameter((0.013, 0.018, 0.027, 0.036, 0.045), SIDE, 0, 1)),
        _named(
            low_resolution,
            CAMERA,
            PIXELATE,
            factor=Parameter((0.5, 0.35, 0.25, 0.17, 0.12), "part of each side kept", 0, 1),
        ),
        _named(jpeg, IMAGE, IMAGENET_C, quality=Parameter((25, 18, 15, 10, 7), "JPEG quality", 1, 95)),
        _named(brightness, IMAGE, IMAGENET_C, shift=Parameter((0.1, 0.2, 0.3, 0.4, 0.5), RANGE, -1, 1)),
        _named(
            contrast, IMAGE, IMAGENET_C, factor=Parameter((0.4, 0.3, 0.2, 0.1, 0.05), "part of the contrast kept", 0, 1)
        ),
        _named(fog, IMAGE, KOSCHMIEDER, thickness=Parameter((0.5, 0.9, 1.4, 2.0, 2.8), "optical depth", 0, 100)),
        _named(occlusion, CAMERA, OWN, area=Parameter((0.1, 0.2, 0.3, 0.45, 0.6), "part of the picture", 0, 1)),
        _named(depth_holes, DEPTH, OWN, rate=Parameter((0.1, 0.2, 0.35, 0.5, 0.7), "part of the pixels", 0, 1)),
        _named(dead_sensor, CAMERA, OWN),
        _named(blank_words, TEXT, QMF, rate=Parameter((0.1, 0.25, 0.5, 0.75, 1.0), WORDS, 0, 1)),
        _named(word_drop, TEXT, OWN, rate=Parameter((0.1, 0.2, 0.35, 0.5, 0.7), WORDS, 0, 1)),
        _named(typos, TEXT, OWN, rate=Parameter((0.02, 0.05, 0.1, 0.2, 0.4), "probability per letter", 0, 1)),
        _named(
            ocr_confusions, TEXT, OWN, rate=Parameter((0.05, 0.1, 0.2, 0.4, 0.8), "probability per look-alike", 0, 1)
        ),
        _named(truncate, TEXT, OWN, keep=Parameter((0.8, 0.6, 0.4, 0.2, 0.1), "part of the words kept", 0, 1)),
        _named(shuffle_words, TEXT, OWN, rate=Parameter((0.2, 0.4, 0.6, 0.8, 1.0), WORDS, 0, 1)),
        _named(gibberish, TEXT, OWN, rate=Parameter((0.2, 0.4, 0.6, 0.8, 1.0), WORDS, 0, 1)),
        _named(noise_snr, AUDIO, OWN, snr=Parameter((20, 15, 10, 5, 0), "dB", -100, 200)),
        _named(clipping, AUDIO, OWN, level=Parameter((0.7, 0.5, 0.3, 0.2, 0.1), "part of the peak", 0, 1)),
        _named(
            dropouts,
            AUDIO,
            OWN,
            needs=("sample_rate",),
            rate=Parameter((0.05, 0.1, 0.2, 0.35, 0.5), "probability per packet", 0, 1),
            packet=Parameter((0.02, 0.02, 0.02, 0.02, 0.02), "s", 0, 10),
        ),
        _named(
            band_limit,
            AUDIO,
            OWN,
            needs=("sample_rate",),
            cutoff=Parameter((6000, 4000, 2500, 1500, 800), "Hz", 0, 1e6),
        ),
        _named(
            feature_gaussian,
            VECTOR,
            OWN,
            needs=("scale",),
            sigma=Parameter((0.25, 0.5, 1.0, 2.0, 4.0), "training standard deviations", 0, 1000),
        ),
        _named(
            feature_salt_and_pepper,
            VECTOR,
            OWN,
            needs=("scale", "center"),
            rate=Parameter((0.05, 0.1, 0.2, 0.35, 0.5), FEATURES, 0, 1),
        ),
        _named(feature_gain, VECTOR, OWN, gain=Parameter((1.25, 1.5, 2.0, 3.0, 5.0), "factor", -1000, 1000)),
        _named(
            feature_stuck,
            VECTOR,
            OWN,
            needs=("scale", "center"),
            per_sensor=True,
            rate=Parameter((0.1, 0.25, 0.5, 0.75, 1.0), "part of the features", 0, 1),
        ),
        _named(feature_dropout, VECTOR, OWN, rate=Parameter((0.1, 0.2, 0.35, 0.5, 0.7), FEATURES, 0, 1)),
        _named(zeroed, SIGNAL, OWN),
    )
}
"""Every corruption by name. A new one is a function and one line here."""

DEVELOPMENT = frozenset({"gaussian_blur", "contrast", "word_drop", "clipping", "feature_dropout"})
"""Never evaluated on, so free for training, augmentation and calibration."""

EVALUATION_SUITE: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    kind: tuple(
        (name, SEVERITIES if corruption.parameters else SEVERITIES[-1:])
        for name, corruption in CORRUPTIONS.items()
        if kind in corruption.kinds and name not in DEVELOPMENT
    )
    for kind in KINDS
}
"""What models are evaluated on, for each kind: names with severities. Nothing may be fitted on these."""
