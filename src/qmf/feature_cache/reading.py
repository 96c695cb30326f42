"""Reading values (decoding pictures and sounds) in worker processes, ahead of the encoder that waits for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from qmf.data import Unreadable
from qmf.errors import DataError
from qmf.processes import process_pool

__all__ = ["Read", "reading"]

Read = Callable[[Sequence[Any]], Iterator[Any]]
_CHUNK = 8  # values per message to a worker


@contextmanager
def reading(reader: Callable[[Any], Any], workers: int) -> Iterator[Read]:
    """Open what reads values.

    Parameters
    ----------
    reader : callable
        From a value to what an encoder takes; raises a `DataError` where it cannot. Picklable, if `workers` > 0.
    workers : int
        Processes; 0 reads in this one.

    Yields
    ------
    callable
        From values to an iterator over what was read, in order; `Unreadable` in the place of what could not be.
        Reading begins when it is called, not when its result is asked for, if there are workers.
    """
    attempt = partial(_attempt, reader)
    if workers < 1:
        yield partial(map, attempt)
        return
    with process_pool(workers) as pool:
        yield partial(pool.map, attempt, chunksize=_CHUNK)


def _attempt(reader: Callable[[Any], Any], value: Any) -> Any:
    try:
        return reader(value)
    except DataError as error:
        return Unreadable(str(error))
