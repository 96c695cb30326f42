"""``qmf corrupt``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qmf.cli.loading import configuration, data_schema
from qmf.cli.output import say
from qmf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qmf.data import RawSamples
    from qmf.preparation.damage import Damage

__all__ = ["CorruptOption", "corrupt", "every_modality", "parse_damages"]

CorruptOption = Annotated[
    list[str] | None,
    typer.Option(
        "--apply",
        metavar="MODALITY=NAME[:SEVERITY[:RATE]]",
        help="A corruption (docs/corruptions.md), or absent, swapped, conflict; e.g. image=gaussian_noise:3:0.5."
        " all=... means every modality.",
    ),
]


def corrupt(
    source: Annotated[str, typer.Argument(metavar="CONFIG|DATA", help="As for `qmf fit`.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="New folder for the damaged copy.")],
    apply: CorruptOption = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", metavar="FILE", help="YAML with `corruptions:` by modality, and `seed:`.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Key of all draws; by default the recipe's, else 0.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many samples.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As for `qmf fit`.")] = None,
) -> None:
    """Write a damaged copy of DATA to look at: files, and a manifest.jsonl that `qmf` commands read."""
    import numpy as np

    from qmf.cli.sources import read_source
    from qmf.data import RawSamples
    from qmf.preparation.damage import damaged

    damages, seed = _damages(apply or [], recipe, seed)
    if output.exists():
        raise ConfigError(f"{output} exists and is left alone: choose another name with -o.")
    config = configuration(source, overrides or [])
    raw = read_source(config.data.train, data_schema(config), part="test", seed=config.seed, require_label=False)
    if not isinstance(raw, RawSamples):
        raise ConfigError(f"{source}: holds vectors only, nothing to look at; corrupt them with qmf.corruptions.")
    if limit is not None:
        raw = raw.take(np.arange(min(limit, len(raw))))
    damages = every_modality(damages, list(raw.modalities))
    written = _write(damaged(raw, damages, seed=seed), output)
    say(f"wrote {written} samples to {output / 'manifest.jsonl'}: " + ", ".join(f"{m} {d}" for m, d in damages.items()))


def parse_damages(given: list[str]) -> dict[str, Damage]:
    """Read ``MODALITY=NAME[:SEVERITY[:RATE]]``.

    Parameters
    ----------
    given : list of str
        From the command line.

    Returns
    -------
    dict of str to Damage
        By modality.

    Raises
    ------
    ConfigError
        If one is not as described.
    """
    from qmf.preparation.damage import Damage

    damages = {}
    for text in given:
        modality, equals, rest = text.partition("=")
        if not equals:
            raise ConfigError(f"--apply {text}: expected MODALITY=NAME[:SEVERITY[:RATE]], e.g. image=gaussian_noise:3.")
        damages[modality] = Damage.parse(rest)
    return damages


def every_modality(damages: dict[str, Damage], modalities: Sequence[str]) -> dict[str, Damage]:
    """Put every modality that is not named itself in the place of ``all``, unless a modality has that name."""
    if "all" not in damages or "all" in modalities:
        return damages
    named = {name: damage for name, damage in damages.items() if name != "all"}
    return dict.fromkeys(modalities, damages["all"]) | named


def _damages(given: list[str], recipe: Path | None, seed: int | None) -> tuple[dict[str, Damage], int]:
    from qmf.config import read_config
    from qmf.preparation.damage import Damage

    damages: dict[str, Damage] = {}
    values: dict[str, Any] = {} if recipe is None else read_config(recipe)
    for modality, entry in (values.get("corruptions") or {}).items():
        try:
            damages[modality] = Damage.parse(entry) if isinstance(entry, str) else Damage(**entry)
        except TypeError as error:
            raise ConfigError(f"{recipe}: corruptions.{modality}: {error}; expected name, severity, rate.") from error
    damages |= parse_damages(given)
    if not damages:
        raise ConfigError("nothing to do: give --apply MODALITY=NAME:SEVERITY, or a --recipe with `corruptions:`.")
    return damages, int(values.get("seed", 0)) if seed is None else seed


def _write(raw: RawSamples, output: Path) -> int:
    """Write files and manifest into a folder that appears whole or not at all."""
    import json
    import secrets
    import shutil

    staging = output.with_name(f".{output.name}-{secrets.token_hex(6)}")
    staging.mkdir(parents=True)
    try:
        lines = []
        for i, key in enumerate(raw.ids.tolist()):
            row: dict[str, Any] = {"id": key}
            if raw.labels is not None:
                row["label"] = raw.labels[i].item() if hasattr(raw.labels[i], "item") else raw.labels[i]
            for name, modality in raw.modalities.items():
                row |= _cells(modality, name, i, staging)
            lines.append(json.dumps(row, ensure_ascii=False))
        (staging / "manifest.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        staging.rename(output)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return len(lines)


def _cells(modality: Any, name: str, i: int, folder: Path) -> dict[str, Any]:
    import numpy as np

    value = modality.values[i]
    if isinstance(value, np.ndarray):
        cells = [None if cell is None or cell != cell else cell for cell in value.tolist()]
        return {name: cells} if modality.type == "vector" else dict(zip(modality.columns, cells, strict=True))
    if value is None or modality.type == "text":
        return {name: value}
    (folder / name).mkdir(exist_ok=True)
    if modality.type == "audio":
        return {name: _write_sound(value, folder, f"{name}/{i}.wav")}
    from qmf.encoders.pictures import opened

    with opened(value) as picture:
        picture.save(folder / name / f"{i}.png")
    return {name: f"{name}/{i}.png"}


def _write_sound(value: Any, folder: Path, target: str) -> str:
    import soundfile  # type: ignore[import-untyped,unused-ignore]

    from qmf.encoders.sounds import read_mono

    waveform, rate = read_mono(value)
    soundfile.write(folder / target, waveform, rate)
    return target
