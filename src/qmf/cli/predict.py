"""``qmf predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from qmf.cli.engine import Engine, predictions_of
from qmf.cli.model_data import (
    AbsentOption,
    DataArgument,
    JsonOption,
    RiskOption,
    load_classifier,
    parts_of_data,
)
from qmf.cli.output import print_json, say
from qmf.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from qmf.cli.model_data import Classifier
    from qmf.types import Prediction

__all__ = ["predict"]


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder, or ONNX file (takes no torch).")],
    data: DataArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="preds.parquet, .csv or .jsonl.")],
    absent: AbsentOption = None,
    risk: RiskOption = None,
    sets: Annotated[
        float | None,
        typer.Option("--sets", metavar="COVERAGE", help="Add sets of labels that hold the true one so often: 0.9."),
    ] = None,
    set_method: Annotated[str, typer.Option("--set-method", help="lac: small sets; aps: adaptive ones.")] = "lac",
    engine: Annotated[
        Engine, typer.Option("--engine", help="ray: on the cores of a Ray cluster (extra [ray]); the same file.")
    ] = Engine.LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Predict DATA, one row per sample with label, probabilities, and each modality's weight and uncertainty."""
    from qmf.cli.scoring import WRITERS, write_predictions

    if output.suffix not in WRITERS:
        raise ConfigError(f"{output}: expected a name ending in {', '.join(WRITERS)}.")
    classifier = load_classifier(model)
    parts = parts_of_data(classifier, model, data, absent or [])
    with predictions_of(parts, classifier, model, risk, engine) as predictions:
        mean = write_predictions(predictions, output, lambda given: _frame(classifier, given, sets, set_method))
    say(f"wrote {mean.rows} rows to {output}; {mean.withheld} of them had better not be answered")
    if as_json:
        weights = mean.weights(classifier.modalities_)
        document = {"output": str(output), "rows": mean.rows, "withheld": mean.withheld, "weights_mean": weights}
        print_json(document)


def _frame(classifier: Classifier, prediction: Prediction, coverage: float | None, method: str) -> pl.DataFrame:
    frame: pl.DataFrame = prediction.to_frame()
    if coverage is None:
        return frame
    if not 0 < coverage < 1:
        raise ConfigError(f"--sets {coverage}: expected a number between 0 and 1, such as 0.9.")
    sets = classifier.predict_set(prediction, alpha=1 - coverage, method=cast(Literal["lac", "aps"], method))
    return frame.hstack(sets.to_frame().drop("id"))
