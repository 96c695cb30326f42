"""``qmf evaluate`` and ``qmf predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from qmf.cli.corrupt import CorruptOption
from qmf.cli.output import print_json, print_table, say
from qmf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from qmf.data import DataSchema, RawSamples, Samples
    from qmf.estimator import QMFClassifier
    from qmf.types import Prediction

__all__ = [
    "AbsentOption",
    "DataArgument",
    "JsonOption",
    "ModelArgument",
    "damaged_samples",
    "evaluate",
    "labelled_samples",
    "predict",
]

_ROWS = 10_000  # of a table at a time

ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Model folder.")]
DataArgument = Annotated[str, typer.Argument(metavar="DATA", help="CSV, Parquet, JSONL, NPZ, MAT or built-in name.")]
AbsentOption = Annotated[
    list[str] | None, typer.Option("--absent", metavar="MODALITY", help="Treat this modality as absent everywhere.")
]
RiskOption = Annotated[
    float | None,
    typer.Option("--risk", metavar="SHARE", help="Withhold answers until at most this share of those given is wrong."),
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
    risk: RiskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a model's predictions with the labels of DATA, as it is or damaged."""
    from qmf.estimator import QMFClassifier
    from qmf.pattern_evaluation import evaluate_classifier, evaluate_patterns

    classifier = QMFClassifier.load(model_dir)
    given = labelled_samples(classifier, model_dir, data, absent or [])
    samples = classifier.prepare(damaged_samples(classifier, given, apply or [], seed))
    result = evaluate_classifier(classifier, samples, risk=risk)
    if all_patterns:
        result["patterns"] = evaluate_patterns(classifier, samples, risk=risk)
    if as_json:
        print_json(result)
    else:
        _print_result(result)


def labelled_samples(classifier: QMFClassifier, model_dir: Path, data: str, absent: list[str]) -> Samples | RawSamples:
    """Read DATA for a model, with labels, and with `absent` modalities absent."""
    return _read(classifier, model_dir, data, absent, require_label=True)


def damaged_samples(
    classifier: QMFClassifier, samples: Samples | RawSamples, apply: list[str], seed: int
) -> Samples | RawSamples:
    """Give the samples with each ``--apply`` done to them; spreads of vectors are those of training."""
    from qmf.cli.corrupt import every_modality, parse_damages
    from qmf.data import RawSamples, samples_of_vectors
    from qmf.preparation import damaged, vectors_as_raw

    if not apply:
        return samples
    names = list(samples.modalities)
    if not isinstance(samples, RawSamples):
        names = [name for m, name in enumerate(names) if samples.present[:, m].any()]
    damages = every_modality(parse_damages(apply), names)
    if isinstance(samples, RawSamples) and classifier.preparation_ is not None:
        return damaged(samples, damages, seed=seed)
    encoders = zip(classifier.modalities_, classifier.model_.encoders, strict=True)
    spreads = {name: (encoder.mean.numpy(), encoder.std.numpy()) for name, encoder in encoders}
    raw = samples if isinstance(samples, RawSamples) else vectors_as_raw(samples)
    return samples_of_vectors(damaged(raw, damages, seed=seed, spreads=spreads))


def predict(
    model_dir: ModelArgument,
    data: DataArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="preds.parquet, .csv or .jsonl.")],
    absent: AbsentOption = None,
    risk: RiskOption = None,
    sets: Annotated[
        float | None,
        typer.Option("--sets", metavar="COVERAGE", help="Add sets of labels that hold the true one so often: 0.9."),
    ] = None,
    set_method: Annotated[str, typer.Option("--set-method", help="lac: small sets; aps: adaptive ones.")] = "lac",
    as_json: JsonOption = False,
) -> None:
    """Predict DATA, one row per sample with label, probabilities, and each modality's weight and uncertainty."""
    from qmf.cli.scoring import WRITERS, write_predictions
    from qmf.estimator import QMFClassifier

    if output.suffix not in WRITERS:
        raise ConfigError(f"{output}: expected a name ending in {', '.join(WRITERS)}.")
    classifier = QMFClassifier.load(model_dir)
    parts = _parts(classifier, model_dir, data, absent or [])
    predictions = (classifier.predict_full(part, risk=risk) for part in parts)
    mean = write_predictions(predictions, output, lambda prediction: _frame(classifier, prediction, sets, set_method))
    say(f"wrote {mean.rows} rows to {output}; {mean.withheld} of them had better not be answered")
    if as_json:
        weights = mean.weights(classifier.modalities_)
        document = {"output": str(output), "rows": mean.rows, "withheld": mean.withheld, "weights_mean": weights}
        print_json(document)


def _frame(classifier: QMFClassifier, prediction: Prediction, coverage: float | None, method: str) -> pl.DataFrame:
    frame: pl.DataFrame = prediction.to_frame()
    if coverage is None:
        return frame
    if not 0 < coverage < 1:
        raise ConfigError(f"--sets {coverage}: expected a number between 0 and 1, such as 0.9.")
    sets = classifier.predict_set(prediction, alpha=1 - coverage, method=cast(Literal["lac", "aps"], method))
    return frame.hstack(sets.to_frame().drop("id"))


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
    patterns = {f"only {name}": scores for name, scores in result.get("patterns", {}).items()}
    rows = [["fused", *_shown(result), str(result["num_samples"]), "", ""]]
    for name, scores in result["per_modality"].items():
        weight, r = result["weights_mean"][name], result["weight_loss_correlation"][name]
        rows.append([name, *_shown(scores), str(scores["present"]), f"{weight:.3f}", f"{r:+.3f}"])
    rows += [[name, *_shown(scores), str(scores["num_samples"]), "", ""] for name, scores in patterns.items()]
    columns = ["", "accuracy", "nll", "ece", "samples", "mean weight", "r(weight, loss)"]
    print_table("evaluation; r(weight, loss) should be negative: trusted less where it errs more", columns, rows)
    if "sets" in result:
        columns = ["", "LAC", "classes", "empty", "APS", "classes", "empty"]
        rows = [[name, *_shown_sets(scores)] for name, scores in {"as they are": result, **patterns}.items()]
        print_table("sets made to hold the true class in 90 % of cases: how many do", columns, rows)
    withheld = ", ".join(f"{count} ({reason})" for reason, count in result["withheld"].items()) or "none"
    say(f"answers withheld: {withheld}; accuracy of the others: {result['accuracy_answered']:.4f}")


def _shown(scores: dict[str, Any]) -> list[str]:
    return [f"{scores[key]:.4f}" for key in ("accuracy", "nll", "ece")]


def _shown_sets(scores: dict[str, Any]) -> list[str]:
    of_methods = (scores["sets"][method] for method in ("lac", "aps"))
    return [f"{sets[key]:.3f}" for sets in of_methods for key in ("coverage", "mean_size", "empty")]
