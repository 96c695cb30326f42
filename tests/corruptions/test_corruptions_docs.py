"""What the documentation says of corruptions is what the registry says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_tables_are_up_to_date():
    spec = importlib.util.spec_from_file_location("draw_corruptions", ROOT / "scripts" / "draw_corruptions.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (ROOT / "docs" / "corruptions.md").read_text("utf-8")
    fresh = script.written(page, script.tables(script.examples()["text"]))
    assert page == fresh, "run python scripts/draw_corruptions.py"
