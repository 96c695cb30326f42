"""The optional packages of the extra ``[report]``: found, or named in the error."""

from __future__ import annotations

from importlib.util import find_spec

from qmf.errors import MissingDependencyError

__all__ = ["require_report_packages"]

_PACKAGES = ("jinja2", "matplotlib")


def require_report_packages() -> None:
    """Check that a report can be written, without importing anything; worth calling before long work.

    Raises
    ------
    MissingDependencyError
        If matplotlib or jinja2 is not installed.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f'A report needs {" and ".join(missing)}, not installed here: pip install "qmf[report]"'
        )
