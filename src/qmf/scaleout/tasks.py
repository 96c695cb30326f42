"""Ray tasks whose results come back in order, and a few at a time: memory does not grow with their number.

Plain tasks rather than Ray Data: parts are read in one place, so that a file of any kind, and everything wrong in it,
is told as it is without Ray; and one result at a time reaches the one process that writes.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from qmf.errors import MissingDependencyError, QMFError, RunError

__all__ = ["cluster", "in_order", "in_order_of_ending"]

_RETRIES = 5  # of a task whose process or machine is lost; an exception is no reason to run it again
_AHEAD = 2  # tasks in hand per core: one runs, one waits
_OBJECT_STORE = 512 << 20  # bytes shared by the processes of a cluster that is started here

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def cluster() -> Iterator[int]:
    """Use the Ray cluster at hand, or start one on this machine and end it after the block.

    The environment variable ``RAY_ADDRESS`` names a cluster; one that this process is connected to already goes before
    it. Ray's usage statistics are off.

    Yields
    ------
    int
        Cores of the cluster.

    Raises
    ------
    MissingDependencyError
        If Ray is not installed.
    RunError
        If there is no cluster at ``RAY_ADDRESS``.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its way in the future, and no warning now
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError("the engine ray takes the package ray: pip install 'qmf[ray]'") from error
    started = not ray.is_initialized()
    if started:
        here: dict[str, Any] = {"num_cpus": os.cpu_count(), "object_store_memory": _OBJECT_STORE}
        address = os.environ.get("RAY_ADDRESS")
        options = {} if address else {"include_dashboard": False, **here}
        try:
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
        except (ConnectionError, ValueError) as error:
            raise RunError(f"no Ray cluster at RAY_ADDRESS={address}: {error}") from error
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        if started:
            ray.shutdown()


def in_order(function: Callable[[T], R], items: Iterable[T], *, ahead: int) -> Iterator[R]:
    """Apply a function to items in the processes of the cluster, and give the results in the order of the items.

    Parameters
    ----------
    function : callable
        What Ray can send: it and the item must not need the memory of this process.
    items : iterable
        Taken as results are asked for.
    ahead : int
        Cores of the cluster; at most twice as many items are in hand.

    Yields
    ------
    Any
        One result per item.

    Raises
    ------
    Exception
        What `function` raised, as it was.
    RunError
        If a task was lost with its process again and again.
    """
    task, waiting = _task({}), deque[Any]()
    for item in items:
        waiting.append(task.remote(function, item))
        if len(waiting) >= _AHEAD * ahead:
            yield _result(waiting.popleft())
    while waiting:
        yield _result(waiting.popleft())


def in_order_of_ending(
    function: Callable[[T], R], items: Iterable[T], *, environment: Mapping[str, str]
) -> Iterator[tuple[T, Exception | None]]:
    """Apply a function to items in the processes of the cluster, and give each item when it is done.

    Parameters
    ----------
    function : callable
        Called for what it does; what it returns is not kept. May be run again for an item whose process was lost.
    items : iterable
        Few enough to be in memory.
    environment : mapping of str to str
        Variables of the processes, set before they start.

    Yields
    ------
    item, error
        The error that `function` raised, or None.
    """
    import ray

    task = _task(environment)
    waiting = {task.remote(function, item): item for item in items}
    while waiting:
        (reference,), _ = ray.wait(list(waiting), num_returns=1)
        error: Exception | None = None
        try:
            _result(reference)
        except Exception as raised:
            error = raised
        yield waiting.pop(reference), error


def _task(environment: Mapping[str, str]) -> Any:
    import ray

    runtime = {"env_vars": dict(environment)} if environment else None
    return ray.remote(_apply).options(max_retries=_RETRIES, num_cpus=1, runtime_env=runtime)


def _apply(function: Callable[[T], R], item: T) -> R:
    return function(item)


def _result(reference: Any) -> Any:
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise (cause if isinstance(cause, Exception) else RunError(str(error))) from (
            None if isinstance(cause, QMFError) else error
        )
    except ray.exceptions.RayError as error:
        raise RunError(f"a Ray task was lost {_RETRIES + 1} times: {str(error).splitlines()[0]}") from error
