"""From the name of an encoder to the encoder: the one place that knows them all."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from qmf.errors import ConfigError

if TYPE_CHECKING:
    from qmf.encoders.frozen import FrozenEncoder

__all__ = ["DEFAULT_ENCODERS", "ENCODERS", "open_encoder"]

ENCODERS: dict[str, dict[str, tuple[str, str]]] = {
    "image": {
        "efficientnet-lite0": ("image_features", "ImageFeatures"),
        "small-cnn": ("small_pictures", "SmallPictures"),
    },
    "depth": {
        "efficientnet-lite0": ("image_features", "ImageFeatures"),
        "small-cnn": ("small_pictures", "SmallPictures"),
    },
    "text": {
        "all-MiniLM-L6-v2": ("text_features", "SentenceFeatures"),
        "hashed-words": ("hashing_words", "HashedWords"),
    },
    "audio": {"log-mel": ("audio_features", "LogMelFeatures"), "audio-cnn": ("audio_cnn", "Waveforms")},
}
"""Type of a modality to its named encoders: module and class."""

DEFAULT_ENCODERS = {"image": "efficientnet-lite0", "depth": "efficientnet-lite0", "text": "all-MiniLM-L6-v2"}
DEFAULT_ENCODERS["audio"] = "log-mel"

_TRANSFORMERS = {
    "image": ("vision_features", "VisionFeatures"),
    "depth": ("vision_features", "VisionFeatures"),
    "text": ("text_features", "SentenceFeatures"),
    "audio": ("audio_features", "AudioFeatures"),
}
_WITHOUT_FILES = ("hashed-words", "log-mel", "small-cnn", "audio-cnn")


def open_encoder(kind: str, name: Any, options: dict[str, Any], folder: Path | None = None) -> FrozenEncoder:
    """Give a frozen encoder.

    Parameters
    ----------
    kind : str
        Type of the modality: image, depth, text or audio.
    name : str, FrozenEncoder, callable or nn.Module
        A key of `ENCODERS`; or a transformers model: a folder, or a name on the Hugging Face hub; or the user's own: an
        encoder, a function or network (see `OwnEncoder`), or ``package.module:name`` of one or of its class.
    options : dict
        Keyword arguments of its class.
    folder : pathlib.Path, optional
        Where its files were saved with a model; they are used instead of `name`.

    Returns
    -------
    FrozenEncoder
        Its weights are not loaded yet.

    Raises
    ------
    ConfigError
        If there is no such encoder, or an option is unknown.
    """
    if not isinstance(name, str):
        return _own(kind, name, options)
    module, class_name, arguments = _find(kind, name)
    if folder is not None and name not in _WITHOUT_FILES:
        arguments = (folder,)
    if kind in ("image", "depth") and ":" not in name:
        options = {"kind": kind} | options
    try:
        found = getattr(import_module(module), class_name)
        if ":" in name and "/" not in name:
            return _own(kind, found, options)
        return cast("FrozenEncoder", found(*arguments, **options))
    except (TypeError, AttributeError, ModuleNotFoundError) as error:
        raise ConfigError(f"encoder {name!r} for {kind}: {error}; known: {', '.join(ENCODERS[kind])}.") from error


def _own(kind: str, given: Any, options: dict[str, Any]) -> FrozenEncoder:
    """Give a user's encoder as it is, its class's instance, or a function or network wrapped."""
    from torch import nn

    from qmf.encoders.own import OwnEncoder

    if kind not in ENCODERS:
        raise ConfigError(f"a modality of type {kind!r} has no encoder to choose; these have: {', '.join(ENCODERS)}.")
    if isinstance(given, type):
        if not issubclass(given, nn.Module):
            return cast("FrozenEncoder", given(**options))
        given = given()
    if all(hasattr(given, name) for name in ("encode", "out_features", "fingerprint")):
        return cast("FrozenEncoder", given)
    return OwnEncoder(given, kind, **options)


def _find(kind: str, name: str) -> tuple[str, str, tuple[Any, ...]]:
    if kind not in ENCODERS:
        raise ConfigError(f"a modality of type {kind!r} has no encoder to choose; these have: {', '.join(ENCODERS)}.")
    module, colon, class_name = name.partition(":")
    if colon and "/" not in name:
        return module, class_name, ()
    home, class_name = ENCODERS[kind].get(name, _TRANSFORMERS[kind])
    return f"qmf.encoders.{home}", class_name, () if name in _WITHOUT_FILES else (name,)
