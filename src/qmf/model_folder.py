"""The model folder: everything a trained classifier needs, in JSON and safetensors, checked when it is read.

===========================  ==========================================================================
``config.json``              parameters of the classifier and the shapes of its model
``model.safetensors``        weights
``preprocess.json``          each modality: its type, width and the columns of a file it is read from
``labels.json``              class labels and their type
``manifest.json``            format, versions, and the sha256 of each file above; written last
``calibration.safetensors``  what held-out samples say about confidence, where the classifier was calibrated
``encoders/``                files of frozen encoders, a folder per modality, where the model has some
``training/``                metrics of the run and, after ``qmf fit``, its hardest samples; not needed to predict
===========================  ==========================================================================
"""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmf.errors import ConfigError, ModelFolderError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = [
    "ENCODERS_FOLDER",
    "FORMAT_VERSION",
    "ModelContents",
    "check_replaceable",
    "package_versions",
    "read_manifest",
    "read_model",
    "write_model",
]

FORMAT_VERSION = 2  # 1 held typicality as quantiles; its other models are read as before
ENCODERS_FOLDER = "encoders"
_FORMAT = "qmf-model"
_JSON = ("config", "preprocess", "labels")
_FILES = ("model.safetensors", *(f"{name}.json" for name in _JSON))
_CALIBRATION = "calibration.safetensors"
_PACKAGES = ("qmf", "torch", "numpy", "scikit-learn", "safetensors")


@dataclass(frozen=True)
class ModelContents:
    """What a model folder holds.

    Attributes
    ----------
    weights : dict of str to Tensor
        ``state_dict`` of the model.
    config, preprocess, labels : dict
        Contents of the JSON files of those names.
    calibration : dict of str to ndarray
        See `qmf.calibration.PatternCalibration`; empty where the classifier is not calibrated.
    """

    weights: dict[str, Tensor]
    config: dict[str, Any]
    preprocess: dict[str, Any]
    labels: dict[str, Any]
    calibration: dict[str, NDArray[Any]] = field(default_factory=dict)


def write_model(
    contents: ModelContents,
    path: Path,
    *,
    overwrite: bool = False,
    run_dir: Path | None = None,
    save_encoders: Callable[[Path], None] | None = None,
) -> None:
    """Write a model folder, which appears whole or not at all.

    Parameters
    ----------
    contents : ModelContents
        What to write.
    path : pathlib.Path
        The folder to make.
    overwrite : bool, default False
        Replace an older model folder at `path`. Anything else that stands there is never replaced.
    run_dir : pathlib.Path, optional
        Folder of the training run; moved into the model folder as ``training/``.
    save_encoders : callable, optional
        Writes the files of frozen encoders into the folder it is given.

    Raises
    ------
    ConfigError
        If `path` exists and must not be replaced.
    """
    from safetensors.numpy import save_file as save_arrays
    from safetensors.torch import save_file

    check_replaceable(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    staging.mkdir()
    try:
        save_file(contents.weights, staging / "model.safetensors")
        for name in _JSON:
            _write_json(staging / f"{name}.json", getattr(contents, name))
        if contents.calibration:
            save_arrays(contents.calibration, staging / _CALIBRATION)
        if save_encoders is not None:
            save_encoders(staging / ENCODERS_FOLDER)
        _write_json(staging / "manifest.json", _manifest(staging))
        if run_dir is not None:
            run_dir.rename(staging / "training")
        _swap(staging, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_replaceable(path: Path, *, overwrite: bool) -> None:
    """Raise a `ConfigError` if a model folder may not be written at `path`: see `write_model`."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir() or not (path / "manifest.json").exists():
        raise ConfigError(f"{path} exists and is not a model folder: it is left alone; choose another name.")
    if not overwrite:
        raise ConfigError(f"{path} holds a model already: choose another name, or ask to overwrite it.")


def read_model(path: Path) -> ModelContents:
    """Read a model folder, after checking it against its manifest.

    Parameters
    ----------
    path : pathlib.Path
        Written by `write_model`.

    Returns
    -------
    ModelContents
        What it holds.

    Raises
    ------
    ModelFolderError
        If the folder is missing, damaged, truncated, written by a newer format, or not a model folder.
    """
    from safetensors.numpy import load_file as load_arrays
    from safetensors.torch import load_file

    manifest = read_manifest(path)
    calibration = load_arrays(path / _CALIBRATION) if _CALIBRATION in manifest["files"] else {}
    config, preprocess, labels = (_read_json(path / f"{name}.json") for name in _JSON)
    return ModelContents(load_file(path / "model.safetensors"), config, preprocess, labels, calibration)


def read_manifest(path: Path) -> dict[str, Any]:
    """Check a model folder against its manifest and give the manifest.

    Parameters
    ----------
    path : pathlib.Path
        The folder.

    Returns
    -------
    dict
        ``format``, ``format_version``, ``versions`` and ``files`` (sha256 by name).

    Raises
    ------
    ModelFolderError
        With the reason, if the folder must not be used.
    """
    manifest_path = path / "manifest.json"
    if not path.is_dir():
        raise ModelFolderError(f"{path} is not a folder: expected a model folder written by `qmf fit` or save().")
    if not manifest_path.exists():
        raise ModelFolderError(f"{path} has no manifest.json: it is not a model folder, or was not written to its end.")
    manifest = _read_json(manifest_path)
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ModelFolderError(f"{manifest_path} is not of a {_FORMAT} folder: this is another program's folder.")
    if manifest["format_version"] > FORMAT_VERSION:
        raise ModelFolderError(
            f"{path} has format {manifest['format_version']}, written by qmf {manifest['versions'].get('qmf')}; this"
            f" version reads up to {FORMAT_VERSION}: upgrade qmf."
        )
    for name in dict.fromkeys([*_FILES, *manifest["files"]]):
        if not (path / name).is_file():
            raise ModelFolderError(f"{path} is incomplete: {name} is missing; copy the whole folder again.")
        if _sha256(path / name) != manifest["files"].get(name):
            raise ModelFolderError(f"{path / name} is damaged: its sha256 is not the manifest's; copy it again.")
    return manifest


def _manifest(folder: Path) -> dict[str, Any]:
    encoders = sorted(file for file in (folder / ENCODERS_FOLDER).rglob("*") if file.is_file())
    calibration = [_CALIBRATION] if (folder / _CALIBRATION).exists() else []
    names = [*_FILES, *calibration, *(file.relative_to(folder).as_posix() for file in encoders)]
    return {
        "format": _FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": package_versions(),
        "files": {name: _sha256(folder / name) for name in names},
    }


def package_versions() -> dict[str, str | None]:
    """Give the versions of Python and of the packages that shape a result; None where one is not installed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _swap(staging: Path, path: Path) -> None:
    """Put `staging` in the place of `path`; what stood there is deleted only afterwards."""
    older = path.with_name(f".{path.name}-old-{secrets.token_hex(6)}")
    if path.exists():
        path.rename(older)
    staging.rename(path)
    shutil.rmtree(older, ignore_errors=True)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return value
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} can not be read ({error}).") from error
