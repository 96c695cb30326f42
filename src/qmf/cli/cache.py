"""``qmf cache``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from qmf.cli.model_data import JsonOption
from qmf.cli.output import print_json, print_table, say

__all__ = ["cache"]


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all cached features.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the cache of encoded features holds, or clear it."""
    from qmf.feature_cache import cache_info, clear_cache

    if clear:
        freed = clear_cache()
        if as_json:
            print_json({"freed": freed})
        else:
            say(f"freed {freed / 1e6:.1f} MB")
        return
    info = cache_info()
    if as_json:
        encoders = [asdict(entry) for entry in info.encoders]
        document = {"folder": str(info.folder), "limit": info.limit, "bytes": info.bytes, "encoders": encoders}
        print_json(document | {"unreadable": [str(path) for path in info.unreadable]})
        return
    rows = [
        [entry.kind, entry.fingerprint[:12], str(entry.out_features), f"{entry.entries:,}", f"{entry.bytes / 1e6:.1f}"]
        for entry in info.encoders
    ]
    rows.append(["all", "", "", f"{sum(entry.entries for entry in info.encoders):,}", f"{info.bytes / 1e6:.1f}"])
    title = f"{info.folder}: at most {info.limit / 1e9:.1f} GB (QMF_CACHE_LIMIT), {len(info.unreadable)} damaged files"
    print_table(title, ["kind", "encoder", "width", "values", "MB"], rows)
