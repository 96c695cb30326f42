"""``qmf export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qmf.cli.model_data import JsonOption, ModelArgument, labelled_samples, parts_of_data
from qmf.cli.output import print_json, say
from qmf.cli.sources import is_built_in
from qmf.errors import ConfigError

if TYPE_CHECKING:
    from qmf.data import RawSamples, Samples
    from qmf.estimator import QMFClassifier
    from qmf.export.exporting import Exported

__all__ = ["export"]


def export(
    model_dir: ModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="model.onnx or model.pt2.")],
    samples: Annotated[
        str | None,
        typer.Option(
            "--samples",
            metavar="DATA",
            help="To check with, labelled for --int8; by default those of training.",
        ),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Weights in INT8; shows the accuracy it costs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Export a model to ONNX or .pt2, checked against the model on real samples in every pattern of modalities."""
    from qmf.estimator import QMFClassifier
    from qmf.export.exporting import export as write
    from qmf.persistence import load_schema

    classifier = QMFClassifier.load(model_dir)
    data = _data_of_training(model_dir) if samples is None else samples
    read = labelled_samples(classifier, model_dir, data, []) if int8 else _first(classifier, model_dir, data)
    done = write(classifier, output, read, schema=load_schema(model_dir), int8=int8)
    _tell(done, output, data)
    if as_json:
        print_json(
            {
                "output": str(output),
                "data": data,
                "samples": done.checked.samples,
                "patterns": done.checked.patterns,
                "difference": done.checked.difference,
                "accuracy": done.accuracy,
                "int8_accuracy": done.int8_accuracy,
            }
        )


def _first(classifier: QMFClassifier, model_dir: Path, data: str) -> Samples | RawSamples:
    """Give DATA, labels or not; of a long table the first part."""
    return next(parts_of_data(classifier, model_dir, data, []))


def _tell(done: Exported, output: Path, data: str) -> None:
    from qmf.export.checking import TOLERANCE

    checked = done.checked
    say(
        f"checked on {checked.samples} samples of {data} in {checked.patterns} patterns of modalities: largest"
        f" difference {checked.difference:.1e}, {TOLERANCE:.0e} allowed"
    )
    if done.accuracy is not None and done.int8_accuracy is not None:
        after, before = 100 * done.int8_accuracy, 100 * done.accuracy
        say(f"INT8: accuracy on {data} {after:.2f} %, without {before:.2f} %: {after - before:+.2f} points")
    say(f"wrote {output}, {output.stat().st_size / 1e6:.2f} MB")


def _data_of_training(model_dir: Path) -> str:
    path = model_dir / "training" / "config.json"
    if not path.exists():
        raise ConfigError(f"{model_dir} does not say what it was trained on: give data to check with, --samples DATA.")
    given = json.loads(path.read_text(encoding="utf-8"))["data"]
    data = str(given.get("validation") or given["train"])
    if not Path(data).exists() and ":" not in data and not is_built_in(data):
        raise ConfigError(
            f"{data}, which {model_dir} was trained with, is not there: give data to check with, --samples DATA."
        )
    return data
