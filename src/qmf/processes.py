"""Pools of processes that end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor

__all__ = ["process_pool"]


def process_pool(jobs: int) -> ProcessPoolExecutor:
    """Give a pool of processes, started anew and not forked: a copy of a process with running threads can hang.

    Parameters
    ----------
    jobs : int
        Their number.

    Returns
    -------
    ProcessPoolExecutor
        To be used in a ``with`` block. Where this process is killed and the block never ends, they end by themselves,
        which those of the standard library do not: they would wait for work for ever.
    """
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # at once: what a worker writes appears whole or not at all
