"""Processes that train, one thread each: small operations gain less from a second thread than from a second process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

from qmf.processes import process_pool

__all__ = ["WORKER_ENVIRONMENT", "shared_out", "worker_pool"]

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # Memory given back to the system after each step costs more than the step: keep it. Read when a process starts.
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
}
"""What a process that trains is started with."""


@contextmanager
def worker_pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Give processes that share nothing with this one."""
    with _environment(WORKER_ENVIRONMENT), process_pool(jobs) as pool:
        yield pool


def shared_out(seeds: Sequence[int], groups: int) -> list[tuple[int, ...]]:
    """Cut seeds into groups of almost the same size, at most as many as there are seeds.

    Examples
    --------
    >>> shared_out([0, 1, 2, 3, 4], 2)
    [(0, 1, 2), (3, 4)]
    """
    count = min(groups, len(seeds))
    ends = [-(-len(seeds) * k // count) for k in range(count + 1)]
    return [tuple(seeds[start:end]) for start, end in pairwise(ends)]


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables that child processes read when they start."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
