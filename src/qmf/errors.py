"""Errors a user can meet, each with the exit status the command line gives it.

Every message names the thing that is wrong (sample, modality, column, file), what was expected and what to do.
"""

from __future__ import annotations

__all__ = ["ConfigError", "DataError", "MissingDependencyError", "ModelFolderError", "QMFError", "RunError"]


class QMFError(Exception):
    """Base of all errors raised on purpose by this package."""

    exit_code = 1


class RunError(QMFError, RuntimeError):
    """A run that was asked for correctly has failed (exit status 1)."""

    exit_code = 1


class ConfigError(QMFError, ValueError):
    """A setting, option or argument is wrong (exit status 2)."""

    exit_code = 2


class MissingDependencyError(ConfigError, ImportError):
    """An optional package is needed for what was asked (exit status 2)."""


class DataError(QMFError, ValueError):
    """The data are not what was promised (exit status 3)."""

    exit_code = 3


class ModelFolderError(DataError):
    """A model folder is damaged, incomplete, newer than this version, or not a model folder (exit status 3)."""
