"""The commands: from tables, or photos and texts, to an exported file and predictions that take no torch."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from made_samples import LABELS, NEW_LABELS, pictures, texts
from PIL import Image
from typer.testing import CliRunner

from qmf.cli import app
from qmf.errors import ConfigError


def table(path, n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    frame = pl.DataFrame(
        {
            "id": [f"p{i}" for i in range(n)],
            "age": [None if gap else age for gap, age in zip(rng.random(n) < 0.1, rng.normal(y, 0.7), strict=True)],
            "height": rng.normal(y, 1.0),
            "colour": [("red", "blue")[v ^ (r < 0.2)] for v, r in zip(y, rng.random(n), strict=True)],
            "label": y,
        }
    )
    frame.write_csv(path)
    return frame


CONFIG = """
data:
  train: train.csv
  label: label
  id: id
  modalities:
    person: {type: numeric, columns: [age, height]}
    shirt: {type: categorical, columns: [colour]}
training: {epochs: 3}
"""

POSTS = """
data:
  train: train.jsonl
  label: label
  id: id
  modalities:
    photo: {type: image, columns: photo, encoder: small-cnn, options: {size: 32}}
    text: {type: text, columns: text, encoder: hashed-words, options: {out_features: 64}}
training: {epochs: 2}
"""

WITHOUT_TORCH = """
import sys
from importlib.machinery import ModuleSpec
class Refusing:  # others may ask whether torch is there; nobody may import it
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name in ("torch", "onnx", "accelerate") else None
    def create_module(self, spec):
        raise ImportError(f"{spec.name} is not to be imported")
sys.meta_path.insert(0, Refusing())
from qmf.cli import main
main()
"""


def command(*arguments):
    """Run ``qmf`` in this process, which has torch already."""
    return CliRunner().invoke(app, arguments, catch_exceptions=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model of numbers and categories, and where it was made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    table(tmp_path / "train.csv", 200, 0)
    table(tmp_path / "test.csv", 30, 1)
    assert command("fit", "config.yaml", "-o", "model", "-q").exit_code == 0
    return tmp_path


def posts(path, labels, seed):
    """Photos as files and texts, every ninth of either missing."""
    squares, words, rows = pictures(labels, seed), texts(labels, seed), []
    for i, (square, text, label) in enumerate(zip(squares, words, labels, strict=True)):
        photo = f"{path.stem}-{i}.png"
        Image.fromarray(square).save(path.parent / photo)
        there = {"photo": None if i % 9 == 0 else photo, "text": None if i % 9 == 1 else text}
        rows.append({"id": f"{path.stem}{i}", **there, "label": int(label)})
    pl.DataFrame(rows).write_ndjson(path)


def test_commands_from_table_to_predictions_without_torch(folder):
    done = command("export", "model", "-o", "model.onnx")
    assert "checked on 64 samples of train.csv in 3 patterns of modalities" in done.stderr
    same_without_torch(folder, "test.csv")
    assert command("evaluate", "model.onnx", "test.csv", "--apply", "person=absent").exit_code == 0


def test_commands_from_photos_and_texts_to_predictions_without_torch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QMF_CACHE", str(tmp_path / "cache"))
    (tmp_path / "config.yaml").write_text(POSTS)
    posts(tmp_path / "train.jsonl", LABELS, 0)
    posts(tmp_path / "test.jsonl", NEW_LABELS, 1)
    assert command("fit", "config.yaml", "-o", "model", "-q").exit_code == 0
    done = command("export", "model", "-o", "model.onnx", "--samples", "test.jsonl")
    assert "checked on 30 samples of test.jsonl in 3 patterns of modalities" in done.stderr
    said = command("info", "model.onnx").stderr
    assert "photo (image), text (text)" in said
    assert "uint8, batch x 32 x 32 x 3" in said
    told = json.loads(command("info", "model.onnx", "--json").stdout)
    assert told["inputs"]["present"] == {"type": "tensor(bool)", "shape": ["batch", 2]}
    assert told["classes"] == [0, 1]
    same_without_torch(tmp_path, "test.jsonl")
    wanted, given = (json.loads(command("evaluate", m, "test.jsonl", "--json").stdout) for m in ("model", "model.onnx"))
    assert given.keys() == wanted.keys()
    assert (given["accuracy"], given["num_samples"]) == (wanted["accuracy"], 30)
    assert given["nll"] == pytest.approx(wanted["nll"], abs=1e-4)
    every = json.loads(command("evaluate", "model.onnx", "test.jsonl", "--all-patterns", "--json").stdout)
    assert list(every["patterns"]) == ["photo+text", "photo", "text"]


def same_without_torch(folder, test):
    """Predict by the model folder and, where torch cannot be imported, by the file."""
    assert command("predict", "model", test, "-o", "wanted.csv").exit_code == 0
    start = [sys.executable, "-c", WITHOUT_TORCH]
    arguments = ["predict", "model.onnx", test, "-o", "given.csv"]
    done = subprocess.run(start + arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    given, wanted = (pl.read_csv(folder / name) for name in ("given.csv", "wanted.csv"))
    assert given.columns == wanted.columns
    for name in given.columns:
        if given[name].dtype == pl.Float64:
            np.testing.assert_allclose(given[name].to_numpy(), wanted[name].to_numpy(), atol=1e-4)
        else:
            assert given[name].to_list() == wanted[name].to_list()


def test_what_is_checked_with_needs_no_labels_and_may_have_gone(folder):
    table(folder / "new.csv", 30, 2).drop("label").write_csv(folder / "new.csv")
    done = command("export", "model", "-o", "model.pt2", "--samples", "new.csv")
    assert "checked on 30 samples of new.csv" in done.stderr
    (folder / "train.csv").unlink()
    done = command("export", "model", "-o", "model.onnx")
    assert isinstance(done.exception, ConfigError)
    assert "train.csv, which model was trained with, is not there: give data to check with, --samples" in str(
        done.exception
    )
    assert not (folder / "model.onnx").exists()
