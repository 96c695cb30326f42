"""Exporters talk about themselves: kept from the user."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

__all__ = ["quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """Print and log nothing below an error; what is raised is raised all the same."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
