"""``qmf init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qmf.cli.output import say
from qmf.errors import ConfigError

__all__ = ["init"]


def init(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CSV, JSONL or Parquet file, or a folder of pictures.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="CONFIG", help="File to write; by default beside DATA.")
    ] = None,
) -> None:
    """Read DATA and propose a configuration: which column is which modality. Read it before you train."""
    import yaml

    from qmf.data.proposal import propose
    from qmf.errors import DataError
    from qmf.files import atomic_write_text

    if not data.exists():
        raise DataError(
            f"{data} does not exist: expected a table, or a folder with a sub-folder of pictures per class."
        )
    target = output or data.with_name(f"{data.stem}.yaml")
    if target.exists():
        raise ConfigError(f"{target} exists and is left alone: choose another name with -o.")
    section = propose(data)
    if target.parent.resolve() != data.parent.resolve():
        section["train"] = str(data.resolve())
    header = f"# A proposal by `qmf init {data.name}`: check each type and the label, then run qmf fit.\n"
    atomic_write_text(target, header + yaml.safe_dump({"data": section}, sort_keys=False, allow_unicode=True))
    for name, entry in section["modalities"].items():
        say(f"{name}: {entry['type']}")
    say(f"label: {section.get('label', 'the name of the sub-folder')}")
    say(f"wrote {target}: read it, then qmf fit {target} -o MODEL_DIR")
