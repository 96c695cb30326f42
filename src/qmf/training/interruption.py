"""Stopping a run from outside without losing it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from qmf.errors import RunError

__all__ = ["TrainingInterruptedError", "stop_signal"]


class TrainingInterruptedError(RunError):
    """The run was asked to stop (SIGTERM) and has saved where it was (exit status 143)."""

    exit_code = 143


@contextmanager
def stop_signal(*, armed: bool) -> Iterator[threading.Event]:
    """Turn SIGTERM into an event for a block.

    Parameters
    ----------
    armed : bool
        If False, SIGTERM keeps its usual effect. Off the main thread, which signals never reach, it does so too.

    Yields
    ------
    threading.Event
        Set once SIGTERM has come.
    """
    stop = threading.Event()
    if not armed or threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
