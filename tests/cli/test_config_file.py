"""Reading a configuration or recipe: what YAML itself may get wrong."""

from pathlib import Path

import pytest

from qmf.config import apply_overrides, read_config
from qmf.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("seed: 1\nmodel: {preset: paper}\nseed: 2\n", "seed", 3),
        ("training:\n  epochs: 5\n  epochs: 50\n", "epochs", 3),
        ("data: {modalities: {a: text, a: image}}\n", "a", 1),
    ],
)
def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path, text: str, key: str, line: int) -> None:
    with pytest.raises(ConfigError, match=f"the key '{key}' is given twice(.|\n)*line {line},"):
        read_config(written(tmp_path, text))


def test_one_key_in_two_mappings_and_what_a_merge_overrides_are_fine(tmp_path: Path) -> None:
    text = "a: &base {epochs: 1, seed: 3}\nb: {<<: *base, epochs: 2}\n"
    assert read_config(written(tmp_path, text)) == {"a": {"epochs": 1, "seed": 3}, "b": {"epochs": 2, "seed": 3}}


def test_an_override_with_a_key_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--set training=.*'epochs' is given twice"):
        apply_overrides({}, ["training={epochs: 1, epochs: 2}"])
