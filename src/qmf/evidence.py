"""Evidence that modalities are atypical, noted while a model answers, so that nothing is computed twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from qmf.typicality import Typicality

__all__ = ["evidence_of", "listen", "noting"]

Notes = dict[int, Tensor]

# Belongs to the thread or task that asks: several may ask one model at the same time.
_notes: ContextVar[Notes | None] = ContextVar("_notes", default=None)


def listen(model: nn.Module) -> None:
    """Let what the `Typicality` modules of a model say be noted inside `noting`; it costs nothing elsewhere."""
    for module in model.modules():
        if isinstance(module, Typicality):
            module.register_forward_hook(_note)


@contextmanager
def noting() -> Iterator[Notes]:
    """Note what is said by the modules that were made to `listen`; gives the notes, for `evidence_of`."""
    notes: Notes = {}
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def evidence_of(model: nn.Module, notes: Notes, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give the evidence that was noted while a model answered about one batch.

    Parameters
    ----------
    model : nn.Module
        A `QualityAwareFusion`.
    notes : Notes
        From `noting`, around one call of the model.
    present : ndarray [B, M], bool
        True where a modality is there.

    Returns
    -------
    ndarray [B, M], float64
        See `qmf.typicality.Typicality`; NaN where absent, and where the model does not look at typicality.
    """
    found = np.full(present.shape, np.nan)
    for m, module in enumerate(getattr(getattr(model, "uncertainty", None), "typicality", ())):
        said = notes.get(id(module))
        if said is not None and len(said) == len(found):
            found[:, m] = said.double().cpu().numpy()
    return np.where(present, found, np.nan)


def _note(module: nn.Module, given: Any, said: Tensor) -> None:
    notes = _notes.get()
    if notes is not None:
        notes[id(module)] = said
