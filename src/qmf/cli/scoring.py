"""Writing predictions as they come: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qmf.files import atomic_path

if TYPE_CHECKING:
    import polars as pl

    from qmf.types import Prediction

__all__ = ["WRITERS", "Tally", "write_predictions"]

WRITERS = {".parquet": "sink_parquet", ".csv": "sink_csv", ".jsonl": "sink_ndjson"}


class Tally:
    """Counts rows and what is withheld, and adds up weights, while predictions pass by."""

    def __init__(self) -> None:
        self.rows = 0
        self.withheld = 0
        self.sums: Any = 0.0

    def add(self, prediction: Prediction) -> None:
        """Count a part."""
        self.rows += len(prediction)
        self.withheld += int(prediction.abstain.sum())
        self.sums = self.sums + prediction.weights.sum(axis=0, dtype=np.float64)

    def weights(self, modalities: tuple[str, ...]) -> dict[str, float]:
        """Give the mean weight of each modality."""
        return {name: float(self.sums[m] / self.rows) for m, name in enumerate(modalities)}


def write_predictions(
    predictions: Iterable[Prediction], output: Path, to_frame: Callable[[Prediction], pl.DataFrame]
) -> Tally:
    """Write predictions to one file, which appears whole or not at all.

    Parameters
    ----------
    predictions : iterable of Prediction
        Parts, in order; at least one.
    output : pathlib.Path
        Its ending, one of `WRITERS`, says the format.
    to_frame : callable
        From a prediction to its rows.

    Returns
    -------
    Tally
        What was written.

    Raises
    ------
    Exception
        Whatever making a prediction raises; then nothing is written.
    """
    from polars.io.plugins import register_io_source

    tally, parts, failed = Tally(), iter(predictions), list[BaseException]()
    first = next(parts)
    schema = to_frame(first).schema

    def frames(
        with_columns: list[str] | None, predicate: Any, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        try:
            for prediction in chain([first], parts):
                tally.add(prediction)
                yield to_frame(prediction).match_to_schema(schema)
        except BaseException as error:  # polars would wrap it: kept, and raised as it was
            failed.append(error)
            raise

    with atomic_path(output) as temporary:
        try:
            getattr(register_io_source(frames, schema=schema), WRITERS[output.suffix])(temporary)
        except BaseException:
            if failed:
                raise failed[0] from None
            raise
    return tally
