"""A progress bar for encoding, on stderr, shown only where there is something to wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qmf.preparation.preparation import Progress

__all__ = ["encoding_progress"]


@contextmanager
def encoding_progress(*, shown: bool, doing: str = "encoding") -> Iterator[Progress | None]:
    """Open a bar per modality.

    Parameters
    ----------
    shown : bool
        Whether to show any.
    doing : str
        What the bars say before the modality's name.

    Yields
    ------
    callable or None
        Takes (modality, values done, values in all).
    """
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn(doing + " {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[tuple[str, int], TaskID] = {}
    with bars:

        def report(modality: str, done: int, total: int) -> None:
            key = modality, total
            if key not in tasks:
                if done == total:
                    return
                tasks[key] = bars.add_task(modality, total=total)
            bars.update(tasks[key], completed=done)

        yield report
