"""What a run says while it goes on: ``metrics.jsonl``, TensorBoard, a progress bar on stderr."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from qmf.files import atomic_write_text

__all__ = ["Logbook", "ProgressBar", "Row", "progress_bar"]

Row = dict[str, Any]


class ProgressBar(Protocol):
    """What the loop needs of a progress bar."""

    def __call__(self, done: int, text: str) -> None:
        """Show that `done` epochs are done, with a line of text."""


class Logbook:
    """Rows of metrics, one per epoch, kept whole on disk.

    Parameters
    ----------
    folder : pathlib.Path or None
        Where ``metrics.jsonl`` and, if TensorBoard is installed, its event files go; None keeps rows in memory only.
    rows : list of dict
        Rows of the epochs already done, when a run is resumed.
    """

    def __init__(self, folder: Path | None, rows: list[Row]) -> None:
        self.folder = folder
        self.rows = rows
        self._board: Any = None
        if folder is not None and find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=len(rows))

    def add(self, row: Row) -> None:
        """Take the row of one more epoch; NaN becomes null in the file."""
        self.rows.append(row)
        if self.folder is None:
            return
        lines = [json.dumps({key: _plain(value) for key, value in r.items()}) for r in self.rows]
        atomic_write_text(self.folder / "metrics.jsonl", "\n".join(lines) + "\n")
        if self._board is not None:
            for key, value in row.items():
                if isinstance(value, float) and math.isfinite(value):
                    self._board.add_scalar(key, value, row["epoch"])

    def close(self) -> None:
        """Finish the event files."""
        if self._board is not None:
            self._board.close()


@contextmanager
def progress_bar(total: int, *, shown: bool, title: str = "training") -> Iterator[ProgressBar]:
    """Show a bar on stderr while epochs pass.

    Parameters
    ----------
    total : int
        Number of epochs at most.
    shown : bool
        If False, nothing is shown.
    title : str
        What is going on.

    Yields
    ------
    callable
        Call it with the number of epochs done and a line of text.
    """
    if not shown:
        yield lambda done, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total, text="")
        yield lambda done, text: progress.update(task, completed=done, text=text)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
