"""MODEL_DIR and DATA of the commands that ask a model about data: their arguments, how DATA is read and damaged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qmf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qmf.data import DataSchema, RawSamples, Samples
    from qmf.estimator import QMFClassifier
    from qmf.export.onnx_classifier import OnnxClassifier
    from qmf.loaded import LoadedClassifier

    Classifier = QMFClassifier | LoadedClassifier | OnnxClassifier

__all__ = [
    "AbsentOption",
    "DataArgument",
    "JsonOption",
    "ModelArgument",
    "RiskOption",
    "damaged_samples",
    "labelled_samples",
    "load_classifier",
    "parts_of_data",
]

_ROWS = 10_000  # of a table at a time

ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL_DIR", help="Model folder, or an exported .onnx (evaluate, info).")
]
DataArgument = Annotated[str, typer.Argument(metavar="DATA", help="CSV, Parquet, JSONL, NPZ, MAT or built-in name.")]
AbsentOption = Annotated[
    list[str] | None, typer.Option("--absent", metavar="MODALITY", help="Treat this modality as absent everywhere.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
RiskOption = Annotated[
    float | None,
    typer.Option("--risk", metavar="SHARE", help="Withhold answers until at most this share of those given is wrong."),
]


def load_classifier(model: Path) -> Classifier:
    """Load a model folder; or an ONNX file, which takes no torch."""
    if model.suffix == ".onnx":
        from qmf.export.onnx_classifier import OnnxClassifier

        return OnnxClassifier(model)
    from qmf.loaded import LoadedClassifier

    return LoadedClassifier(model)


def labelled_samples(classifier: Classifier, model_dir: Path, data: str, absent: list[str]) -> Samples | RawSamples:
    """Read DATA for a model, with labels, and with `absent` modalities absent."""
    return _read(classifier, model_dir, data, absent, require_label=True)


def damaged_samples(
    classifier: Classifier, samples: Samples | RawSamples, apply: list[str], seed: int
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
    if not hasattr(classifier.model_, "encoders"):
        raise ConfigError("--apply: an exported file does not know the spread of its vectors; take the model folder.")
    encoders = zip(classifier.modalities_, classifier.model_.encoders, strict=True)
    spreads = {name: (encoder.mean.numpy(), encoder.std.numpy()) for name, encoder in encoders}
    raw = samples if isinstance(samples, RawSamples) else vectors_as_raw(samples)
    return samples_of_vectors(damaged(raw, damages, seed=seed, spreads=spreads))


def parts_of_data(
    classifier: Classifier, model_dir: Path, data: str, absent: list[str]
) -> Iterator[Samples | RawSamples]:
    """Read DATA for a model, labels or not: tables and shards some rows at a time, all else whole."""
    from qmf.data import read_parts, shards_of

    schema = _schema(classifier, model_dir, absent)
    if schema is None or not (Path(data).exists() or shards_of(data)):
        yield _read(classifier, model_dir, data, absent, require_label=False)
        return
    for part in read_parts(data, schema, _ROWS):
        yield part.without(*(name for name in absent if name in part.modalities))


def _read(
    classifier: Classifier, model_dir: Path, data: str, absent: list[str], *, require_label: bool
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


def _schema(classifier: Classifier, model_dir: Path, absent: list[str]) -> DataSchema | None:
    """Give what stands where in a file, without the modalities that are to be absent."""
    from dataclasses import replace

    from qmf.persistence import load_schema

    unknown = [name for name in absent if name not in classifier.modalities_]
    if unknown:
        raise ConfigError(f"--absent {unknown[0]}: expected one of {', '.join(classifier.modalities_)}.")
    schema = classifier.schema_ if hasattr(classifier, "schema_") else load_schema(model_dir)
    if schema is None:
        return None
    return replace(schema, modalities={name: m for name, m in schema.modalities.items() if name not in absent})
