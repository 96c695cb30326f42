"""``--engine``: where work is done, in this process or in those of a Ray cluster."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from qmf.cli.model_data import load_classifier

if TYPE_CHECKING:
    from qmf.cli.model_data import Classifier
    from qmf.data import RawSamples, Samples
    from qmf.types import Prediction

__all__ = ["Engine", "predictions_of"]


class Engine(enum.StrEnum):
    """Who does the work."""

    LOCAL = "local"
    RAY = "ray"


@contextmanager
def predictions_of(
    parts: Iterable[Samples | RawSamples], classifier: Classifier, model: Path, risk: float | None, engine: Engine
) -> Iterator[Iterator[Prediction]]:
    """Give the predictions of parts, in their order; with Ray, `model` has to be on every machine of the cluster."""
    if engine is Engine.LOCAL:
        yield (classifier.predict_full(part, risk=risk) for part in parts)
        return
    from qmf.scaleout import cluster, in_order

    with cluster() as cores:
        yield in_order(partial(_predicted, str(model.absolute()), risk), parts, ahead=cores)


def _predicted(model: str, risk: float | None, part: Samples | RawSamples) -> Prediction:
    """Predict in a process of the cluster, which keeps the model for the next part."""
    return _loaded(model).predict_full(part, risk=risk)


@lru_cache(maxsize=1)
def _loaded(model: str) -> Classifier:
    return load_classifier(Path(model))
