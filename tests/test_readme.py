"""What the README says works is run here, word for word."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from qmf.config import parse_config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def run(command, folder):
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done


def test_the_python_example(tmp_path):
    (example,) = blocks("python")
    assert "shape: (5," in run([sys.executable, "-c", example], tmp_path).stdout


def test_the_commands_in_order(tmp_path):
    lines = [line.partition("#")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("qmf ")]
    built_in, own = commands[:7], commands[7:]
    assert [command[1] for command in built_in] == ["fit", "evaluate", "predict", "certify", "export", "info", "doctor"]
    of_own_data = ["init", "validate", "fit", "predict", "evaluate", "corrupt", "cache"]
    assert [command[1] for command in own] == [*of_own_data, "benchmark", "report"]
    write_photos(tmp_path)
    for command in commands:
        run(command, tmp_path)
    assert (tmp_path / "predictions.parquet").exists()
    assert (tmp_path / "foggy" / "manifest.jsonl").exists()
    assert (tmp_path / "bench" / "report.html").exists()


def write_photos(folder):
    """A table as the README has it: a label, paths of pictures in `img`, and a text."""
    lines = ["label,img,title"]
    for i in range(24):
        colour = (200, 60, 20) if i % 2 else (20, 60, 200)
        Image.new("RGB", (32, 32), tuple(c + i for c in colour)).save(folder / f"{i}.png")
        lines.append(f"{'red' if i % 2 else 'blue'},{i}.png,{'a warm evening' if i % 2 else 'a cold sea'} {i}")
    (folder / "photos.csv").write_text("\n".join(lines) + "\n")


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_the_configuration_is_valid():
    (example,) = blocks("yaml")
    config = parse_config(yaml.safe_load(example), "README")
    assert list(config.data.modalities) == ["camera", "notes", "weather"]


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_every_example_runs(example, tmp_path):
    run([sys.executable, str(example)], tmp_path)
