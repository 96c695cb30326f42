"""Frozen transformers models of pictures and sounds: finding their files, hashing them, copying them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qmf.encoders.text_weights import file_hashes, locate_model, read_config
from qmf.errors import ConfigError, MissingDependencyError

__all__ = ["copy_model", "model_folder", "quiet_loading"]


def model_folder(model: str | Path) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Find a transformers model: a folder, or a name on the Hugging Face hub.

    Parameters
    ----------
    model : str or pathlib.Path
        Which.

    Returns
    -------
    folder : pathlib.Path
        Its files.
    config, preprocessing : dict
        ``config.json`` and ``preprocessor_config.json``.

    Raises
    ------
    ConfigError
        If it is not there, or not saved in safetensors with its preprocessing.
    MissingDependencyError
        If transformers is not installed.
    """
    if find_spec("transformers") is None:
        raise MissingDependencyError('this encoder needs transformers, not installed here: pip install "qmf[text]"')
    folder = locate_model(model)
    config, preprocessing = read_config(folder), read_config(folder, "preprocessor_config.json")
    if not config or not preprocessing or not any(folder.glob("*.safetensors")):
        raise ConfigError(
            f"{folder}: expected config.json, preprocessor_config.json and *.safetensors, as save_pretrained writes"
            " them for the model and its processor."
        )
    return folder, config, preprocessing


def copy_model(folder: Path, target: Path) -> None:
    """Copy the files that decide a model's features into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    for name in file_hashes(folder):
        shutil.copyfile(folder / name, target / name)


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Load models without the progress bars of transformers."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
