"""``qmf fit`` and ``qmf schema``."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qmf.cli.loading import configuration, data_schema
from qmf.cli.output import print_json, say
from qmf.errors import ConfigError

if TYPE_CHECKING:
    from qmf.config import Config
    from qmf.data import RawSamples, SampleParts, Samples
    from qmf.estimator import QMFClassifier

__all__ = ["fit", "schema"]


def fit(
    source: Annotated[str, typer.Argument(metavar="CONFIG|DATA", help="YAML file; or a data file or built-in name.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL_DIR", help="Model folder to write.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override, e.g. training.epochs=50.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything drawn (the configuration's `seed`).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an older model or unfinished run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar.")] = False,
) -> None:
    """Train a classifier and write its model folder."""
    from qmf.cli.sources import read_training
    from qmf.model_folder import check_replaceable
    from qmf.training.processes import is_main_process, part

    config = configuration(source, overrides or [], seed)
    run_dir = output.with_name(f"{output.name}.unfinished")
    if is_main_process():
        check_replaceable(output, overwrite=overwrite)
        _check_unfinished(run_dir, resume=resume, overwrite=overwrite)
    columns = data_schema(config)
    data = config.data
    read = partial(read_training, schema=columns, seed=config.seed, streaming=data.streaming)
    samples = read(data.train, part="train")
    validation = None if data.validation is None else read(data.validation, part="test")
    classifier = _classifier(config, verbose=not quiet)
    if is_main_process():
        say(_training_on(samples, run_dir))
    classifier.fit(samples, validation=validation, run_dir=run_dir, resume=resume)
    part()
    if not is_main_process():
        return
    _finish_run(classifier, run_dir, config)
    classifier.save(output, overwrite=overwrite, schema=columns, run_dir=run_dir)
    best = min(classifier.training_rows_, key=lambda row: row.get("validation/objective", -row["epoch"]))
    if classifier.problems_:
        say(f"{len(classifier.problems_)} values could not be read and count as absent: training/unreadable.jsonl")
    say(f"wrote {output} after {classifier.n_iter_} epochs")
    if as_json:
        summary = {key: value for key, value in best.items() if key != "seconds"}
        unreadable = len(classifier.problems_)
        print_json(
            {
                "model_dir": str(output),
                "epochs": classifier.n_iter_,
                "unreadable": unreadable,
                "best_epoch": summary,
            }
        )


def schema() -> None:
    """Print the JSON schema of the configuration on stdout."""
    from qmf.config import Config

    print(json.dumps(Config.model_json_schema(), indent=1))


def _classifier(config: Config, *, verbose: bool) -> QMFClassifier:
    from qmf.estimator import QMFClassifier

    parameters = config.model.model_dump() | config.loss.model_dump() | config.training.model_dump()
    data, cores = config.data, os.cpu_count() or 1
    parameters["on_error"] = data.on_error
    parameters["workers"] = min(cores, 8) if data.workers is None else data.workers
    if any(entry.type != "vector" for entry in data.modalities.values()):
        parameters["modalities"] = {
            name: entry.model_dump(exclude={"transpose"}) for name, entry in data.modalities.items()
        }
    return QMFClassifier(**parameters, random_state=config.seed, verbose=verbose)


def _training_on(samples: Samples | RawSamples | SampleParts, run_dir: Path) -> str:
    from qmf.data import SampleParts

    if isinstance(samples, SampleParts):
        return f"reading {samples.source} in parts; what is trained on is kept in {run_dir} until the model is written"
    names = ", ".join(samples.modalities)
    return f"training on {len(samples)} samples, {len(samples.modalities)} modalities: {names}"


def _check_unfinished(run_dir: Path, *, resume: bool, overwrite: bool) -> None:
    if not run_dir.exists() or resume:
        return
    if not overwrite:
        raise ConfigError(f"{run_dir} holds an unfinished run: go on with --resume, or start anew with --overwrite.")
    shutil.rmtree(run_dir)


def _finish_run(classifier: QMFClassifier, run_dir: Path, config: Config) -> None:
    """Leave in the run's folder what people want later, and drop the samples that were kept there."""
    from qmf.files import atomic_write_text

    for name in ("data", "validation"):
        shutil.rmtree(run_dir / name, ignore_errors=True)
    atomic_write_text(run_dir / "config.json", config.model_dump_json(indent=1) + "\n")
    if classifier.problems_:
        lines = [json.dumps(asdict(problem)) for problem in classifier.problems_]
        atomic_write_text(run_dir / "unreadable.jsonl", "\n".join(lines) + "\n")
    if classifier.history_ is not None:
        rows = [
            json.dumps({"modality": name, "id": sample, "mean_loss": round(loss, 6)})
            for name in classifier.modalities_
            for sample, loss in classifier.hardest_samples(name, 20)
        ]
        atomic_write_text(run_dir / "hardest.jsonl", "\n".join(rows) + "\n")
