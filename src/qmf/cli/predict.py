"""``qmf evaluate`` and ``qmf predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qmf.cli.corrupt import CorruptOption
from qmf.cli.output import print_json, print_table, say
from qmf.errors import ConfigError

if TYPE_CHECKING:
    from qmf.data import RawSamples, Samples
    from qmf.estimator import QMFClassifier
    from qmf.types import Prediction

__all__ = ["evaluate", "predict"]

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
    from qmf.estimator import QMFClassifier

    if output.suffix not in _WRITERS:
        raise ConfigError(f"{output}: expected a name ending in {', '.join(_WRITERS)}.")
    classifier = QMFClassifier.load(model_dir)
    samples = _read(classifier, model_dir, data, absent or [], require_label=False)
    prediction = classifier.predict_full(samples)
    _write(prediction, output)
    say(f"wrote {len(prediction)} rows to {output}")
    if as_json:
        weights = {name: float(prediction.weights[:, m].mean()) for m, name in enumerate(prediction.modalities)}
        print_json({"output": str(output), "rows": len(prediction), "weights_mean": weights})


def _read(
    classifier: QMFClassifier, model_dir: Path, data: str, absent: list[str], *, require_label: bool
) -> Samples | RawSamples:
    from dataclasses import replace

    from qmf.cli.sources import read_source
    from qmf.persistence import load_schema

    unknown = [name for name in absent if name not in classifier.modalities_]
    if unknown:
        raise ConfigError(f"--absent {unknown[0]}: expected one of {', '.join(classifier.modalities_)}.")
    schema = load_schema(model_dir)
    if schema is not None:
        kept = {name: columns for name, columns in schema.modalities.items() if name not in absent}
        schema = replace(schema, modalities=kept, label=schema.label if require_label else None)
    # Written by `qmf fit`, which splits a built-in data set by the seed it trains with.
    seed = classifier.random_state if isinstance(classifier.random_state, int) else 0
    samples = read_source(data, schema, part="test", seed=seed, require_label=require_label)
    return samples.without(*(name for name in absent if name in samples.modalities))


_WRITERS = {".parquet": "write_parquet", ".csv": "write_csv", ".jsonl": "write_ndjson"}


def _write(prediction: Prediction, output: Path) -> None:
    from qmf.files import atomic_path

    frame = prediction.to_frame()
    with atomic_path(output) as temporary:
        getattr(frame, _WRITERS[output.suffix])(temporary)


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
