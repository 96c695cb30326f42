"""``qmf evaluate`` and ``qmf predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qmf.cli.corrupt import CorruptOption
from qmf.cli.output import print_json, print_table, say
from qmf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qmf.data import DataSchema, RawSamples, Samples
    from qmf.estimator import QMFClassifier

__all__ = ["evaluate", "predict"]

_ROWS = 10_000  # of a table at a time

ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Model folder.")]
DataArgument = Annotated[str, typer.Argument(metavar="DATA", help="CSV, Parquet, JSONL, NPZ, MAT or built-in name.")]
AbsentOption = Annotated[
    list[str] | None, typer.Option("--absent", metavar="MODALITY", help="Treat this modality as absent everywhere.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def evaluate(
    model_dir: ModelArgument,
    data: DataArgument,
    absent: AbsentOption = None,
    apply: CorruptOption = None,
    seed: Annotated[int, typer.Option(help="Key of the corruptions.")] = 0,
    all_patterns: Annotated[
        bool, typer.Option("--all-patterns", help="Also with every combination of modalities absent.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare a model's predictions with the labels of DATA, as it is or damaged."""
    from qmf.data import encode_labels
    from qmf.estimator import QMFClassifier
    from qmf.evaluation import evaluate_prediction
    from qmf.pattern_evaluation import evaluate_patterns

    classifier = QMFClassifier.load(model_dir)
    given = _read(classifier, model_dir, data, absent or [], require_label=True)
    samples = classifier.prepare(_damaged(given, apply or [], seed))
    target = encode_labels(samples, classifier.classes_)
    result = evaluate_prediction(classifier.predict_full(samples), target)
    if all_patterns:
        result["patterns"] = evaluate_patterns(classifier, samples)
    if as_json:
        print_json(result)
    else:
        _print_result(result)


def _damaged(samples: Samples | RawSamples, apply: list[str], seed: int) -> Samples | RawSamples:
    from qmf.cli.corrupt import parse_damages
    from qmf.data import RawSamples
    from qmf.preparation import damaged

    if not apply:
        return samples
    if not isinstance(samples, RawSamples):
        raise ConfigError("--apply is for models of raw data; corrupt vectors with qmf.corruptions.corrupt_vectors.")
    return damaged(samples, parse_damages(apply), seed=seed)


def predict(
    model_dir: ModelArgument,
    data: DataArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="preds.parquet, .csv or .jsonl.")],
    absent: AbsentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict DATA, one row per sample with label, probabilities, and each modality's weight and uncertainty."""
    from qmf.cli.scoring import WRITERS, write_predictions
    from qmf.estimator import QMFClassifier

    if output.suffix not in WRITERS:
        raise ConfigError(f"{output}: expected a name ending in {', '.join(WRITERS)}.")
    classifier = QMFClassifier.load(model_dir)
    mean = write_predictions(map(classifier.predict_full, _parts(classifier, model_dir, data, absent or [])), output)
    say(f"wrote {mean.rows} rows to {output}")
    if as_json:
        print_json({"output": str(output), "rows": mean.rows, "weights_mean": mean.weights(classifier.modalities_)})


def _parts(classifier: QMFClassifier, model_dir: Path, data: str, absent: list[str]) -> Iterator[Samples | RawSamples]:
    """Tables come some rows at a time; all else whole."""
    from qmf.data import read_parts

    schema = _schema(classifier, model_dir, absent)
    if schema is None or not Path(data).exists():
        yield _read(classifier, model_dir, data, absent, require_label=False)
        return
    for part in read_parts(data, schema, _ROWS):
        yield part.without(*(name for name in absent if name in part.modalities))


def _read(
    classifier: QMFClassifier, model_dir: Path, data: str, absent: list[str], *, require_label: bool
) -> Samples | RawSamples:
    from dataclasses import replace

    from qmf.cli.sources import read_source

    schema = _schema(classifier, model_dir, absent)
    if schema is not None:
        schema = replace(schema, label=schema.label if require_label else None)
    # Written by `qmf fit`, which splits a built-in data set by the seed it trains with.
    seed = classifier.random_state if isinstance(classifier.random_state, int) else 0
    samples = read_source(data, schema, part="test", seed=seed, require_label=require_label)
    return samples.without(*(name for name in absent if name in samples.modalities))


def _schema(classifier: QMFClassifier, model_dir: Path, absent: list[str]) -> DataSchema | None:
    """Give what stands where in a file, without the modalities that are to be absent."""
    from dataclasses import replace

    from qmf.persistence import load_schema

    unknown = [name for name in absent if name not in classifier.modalities_]
    if unknown:
        raise ConfigError(f"--absent {unknown[0]}: expected one of {', '.join(classifier.modalities_)}.")
    schema = load_schema(model_dir)
    if schema is None:
        return None
    return replace(schema, modalities={name: m for name, m in schema.modalities.items() if name not in absent})


def _print_result(result: dict[str, Any]) -> None:
    rows = [
        ["fused", *(f"{result[key]:.4f}" for key in ("accuracy", "nll", "ece")), str(result["num_samples"]), "", ""]
    ]
    for name, scores in result["per_modality"].items():
        numbers = [f"{scores[key]:.4f}" for key in ("accuracy", "nll", "ece")]
        weight, r = result["weights_mean"][name], result["weight_loss_correlation"][name]
        rows.append([name, *numbers, str(scores["present"]), f"{weight:.3f}", f"{r:+.3f}"])
    for name, scores in result.get("patterns", {}).items():
        rows.append([f"only {name}", *(f"{scores[key]:.4f}" for key in ("accuracy", "nll", "ece"))])
        rows[-1] += [str(scores["num_samples"]), "", ""]
    columns = ["", "accuracy", "nll", "ece", "samples", "mean weight", "r(weight, loss)"]
    print_table("evaluation; r(weight, loss) should be negative: trusted less where it errs more", columns, rows)
