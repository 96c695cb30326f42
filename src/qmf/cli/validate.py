"""``qmf validate``."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qmf.cli.loading import configuration, data_schema
from qmf.cli.model_data import JsonOption
from qmf.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from qmf.data import RawSamples, Samples
    from qmf.preparation.inspection import Inspection, Leak

__all__ = ["validate"]

_EXIT_CODE_DATA = 3
_SHOWN_LEAKS = 20


def validate(
    source: Annotated[str, typer.Argument(metavar="CONFIG|DATA", help="As for `qmf fit`.")],
    test: Annotated[
        list[str] | None, typer.Option("--test", metavar="DATA", help="More data, to look for leaks between splits.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As for `qmf fit`.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Open every file, count what is there, name what cannot be read, warn of content that splits share."""
    from qmf.cli.sources import read_source
    from qmf.preparation import encoding_progress
    from qmf.preparation.inspection import inspect_samples, shared_content

    config = configuration(source, overrides or [])
    columns, data = data_schema(config), config.data
    workers = min(os.cpu_count() or 1, 8) if data.workers is None else data.workers
    sources = {"train": data.train} | ({"validation": data.validation} if data.validation else {})
    sources |= {f"test {Path(given).name}": given for given in test or []}
    parts: dict[str, RawSamples] = {}
    for name, given in sources.items():
        part: Literal["train", "test"] = "train" if name == "train" else "test"
        parts[name] = _raw(read_source(given, columns, part=part, seed=config.seed, require_label=False))
    with encoding_progress(shown=not as_json, doing="reading") as progress:
        found = {name: inspect_samples(raw, workers=workers, progress=progress) for name, raw in parts.items()}
    leaks = shared_content(parts)
    if as_json:
        print_json({"parts": {name: asdict(part) for name, part in found.items()}, "leaks": [asdict(x) for x in leaks]})
    else:
        _print(found, leaks)
    if any(part.problems or part.without_modality for part in found.values()):
        raise typer.Exit(_EXIT_CODE_DATA)


def _raw(samples: Samples | RawSamples) -> RawSamples:
    """Give samples of vectors, which were checked when they were read, the form that is inspected."""
    import numpy as np

    from qmf.data import RawModality, RawSamples
    from qmf.data.origin import Origin

    if isinstance(samples, RawSamples):
        return samples
    modalities = {
        name: RawModality("vector", np.where(samples.present[:, [m]], x, np.nan).astype(np.float64))
        for m, (name, x) in enumerate(samples.features.items())
    }
    return RawSamples(modalities, samples.labels, Origin(samples.source, ids=samples.ids))


def _print(found: dict[str, Inspection], leaks: list[Leak]) -> None:
    for name, part in found.items():
        rows = [
            [modality, x.type, *map(str, (x.present, x.absent, x.unreadable, x.distinct))]
            for modality, x in part.modalities.items()
        ]
        columns = ["modality", "type", "present", "absent", "unreadable", "distinct"]
        print_table(f"{name}: {part.samples} samples of {part.source}", columns, rows)
        for modality, x in part.modalities.items():
            if x.sizes:
                say(f"{modality}: {x.sizes}; {x.forms}")
        if part.labels:
            say("labels: " + ", ".join(f"{label} {count}" for label, count in list(part.labels.items())[:30]))
        for problem in part.problems:
            say(f"unreadable: {problem.sample}, modality {problem.modality!r}: {problem.reason}")
        for sample in part.without_modality:
            say(f"nothing there: {sample} has no modality that can be read")
    for leak in leaks[:_SHOWN_LEAKS]:
        say(f"leak: {leak.modality!r} of {leak.first} is also {leak.second}")
    if len(leaks) > _SHOWN_LEAKS:
        say(f"leak: and {len(leaks) - _SHOWN_LEAKS} more")
    broken = sum(len(part.problems) for part in found.values())
    say(f"{broken} unreadable values, {len(leaks)} contents shared between splits")
