"""Training on samples that come in parts is training on the same samples in memory, byte for byte."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import polars as pl
import pytest
import torch

from qmf import QMFClassifier
from qmf.data import DataSchema, ModalityColumns, Samples, read_in_parts, read_raw
from qmf.datasets import load_handwritten
from qmf.errors import ConfigError
from qmf.subset import Subset

OPTIONS = {"epochs": 3, "hidden": 8, "random_state": 0}
TYPED = {
    "numbers": {"type": "numeric", "columns": ["n1", "n2"]},
    "words": {"type": "text", "encoder": "hashed-words"},
    "place": {"type": "categorical"},
    "probe": {"type": "vector", "columns": ["q*"]},
}


@pytest.fixture(scope="module")
def typed_table(tmp_path_factory):
    rng, n = np.random.default_rng(0), 120
    y = np.arange(n) % 2
    table = pl.DataFrame(
        {
            "name": [f"s{i}" for i in range(n)],
            "kind": [["cat", "dog"][k] for k in y],
            "n1": rng.normal(y),
            "n2": [None if i == 77 else float(value) for i, value in enumerate(rng.normal(y))],
            "words": [None if i == 5 else ["soft fur", "loud bark"][k] for i, k in enumerate(y)],
            "place": [None if i == 90 else ["home", "yard", "barn"][i % 3] for i in range(n)],
            "q1": rng.normal(y),
            "q2": rng.normal(y),
        }
    )
    path = tmp_path_factory.mktemp("typed") / "table.csv"
    table.write_csv(path)
    return path


def schema(modalities):
    places = {name: ModalityColumns(tuple(m.get("columns", [name])), type=m["type"]) for name, m in modalities.items()}
    return DataSchema(places, "kind", "name")


def states(classifier):
    return {name: value.numpy().tobytes() for name, value in classifier.model_.state_dict().items()}


@pytest.mark.parametrize("names", [["numbers", "words", "place", "probe"], ["probe"]])
@pytest.mark.parametrize("given", [False, True])
def test_parts_train_the_model_that_the_whole_trains(typed_table, tmp_path, names, given):
    modalities = {name: TYPED[name] for name in names}
    places = schema(modalities)
    parts = read_in_parts(typed_table, places, rows=50)
    validation = parts if given else None
    one = QMFClassifier(modalities=modalities, **OPTIONS).fit(parts, validation=validation, run_dir=tmp_path / "run")
    whole = read_raw(typed_table, places, require_label=True)
    other = QMFClassifier(modalities=modalities, **OPTIONS).fit(whole, validation=whole if given else None)
    assert states(one) == states(other)
    assert one.train_ids_.tolist() == other.train_ids_.tolist()
    assert one.classes_.tolist() == ["cat", "dog"]
    assert one.predict(whole).tolist() == other.predict(whole).tolist()
    if "numbers" in names:  # the only gaps stand in the second part
        steps, whole_steps = one.preparation_.steps, other.preparation_.steps
        assert steps["numbers"].gaps == whole_steps["numbers"].gaps == (False, True)
        np.testing.assert_allclose(steps["numbers"].mean, whole_steps["numbers"].mean, rtol=1e-12)
        assert steps["place"] == whole_steps["place"]


def test_a_value_that_cannot_be_read_is_named_by_its_row_over_all_parts(tmp_path):
    names = [f"{i}.png" for i in range(40)]
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"name": names, "kind": ["cat", "dog"] * 20, "photo": names, "p": rng.normal(size=40)})
    frame.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "33.png").write_bytes(b"no picture")
    modalities = {"photo": {"type": "image", "encoder": "small-cnn"}, "probe": {"type": "vector", "columns": ["p"]}}
    parts = read_in_parts(tmp_path / "t.parquet", schema(modalities), rows=10)
    for resume in (False, True):  # what is stored already says so as well
        classifier = QMFClassifier(modalities=modalities, on_error="absent", **OPTIONS)
        classifier.fit(parts, run_dir=tmp_path / "run", resume=resume)
        (problem,) = classifier.problems_
        assert (problem.row, problem.modality) == (33, "photo")
        assert "33.png" in problem.sample


def test_what_needs_memory_is_refused(typed_table, tmp_path):
    modalities = {"probe": TYPED["probe"]}
    parts = read_in_parts(typed_table, schema(modalities))
    with pytest.raises(
        ConfigError, match=r"table\.csv: samples in parts are kept on disk while training; give run_dir"
    ):
        QMFClassifier(**OPTIONS).fit(parts)
    augmented = QMFClassifier(augmentation=[{"probe": "gaussian_noise:3"}], **OPTIONS)
    with pytest.raises(ConfigError, match="augmentation needs all samples in memory"):
        augmented.fit(parts, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_draw_of_a_subset_belongs_to_its_seed_and_purpose():
    features = {"a": np.arange(40, dtype=np.float32)[:, None]}
    present = np.ones((40, 1), dtype=bool)
    samples = Samples(features, present, np.arange(40).astype(str), np.zeros(40, dtype=np.int64), "t")
    subset = Subset(samples, np.arange(0, 40, 2))
    assert subset.at_most(20, 0, "x") is subset
    drawn = subset.at_most(7, 0, "x")
    assert len(set(drawn.rows.tolist())) == 7
    assert drawn.rows.tolist() == sorted(drawn.rows.tolist())
    assert set(drawn.rows.tolist()) <= set(subset.rows.tolist())
    np.testing.assert_array_equal(drawn.rows, subset.at_most(7, 0, "x").rows)
    assert drawn.rows.tolist() != subset.at_most(7, 1, "x").rows.tolist()
    assert drawn.copied().ids.tolist() == [str(row) for row in drawn.rows]
    torch.testing.assert_close(drawn.vectors("a")[:, 0], torch.tensor(drawn.rows, dtype=torch.float32))


CONFIG = """
data: {{train: {source}, label: label, id: id, streaming: {streaming}, modalities: {{{modalities}}}}}
training: {{epochs: 12}}
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The embedded digits as one table and as shards, with a configuration for each."""
    folder, samples = tmp_path_factory.mktemp("digits"), load_handwritten("train")
    vectors = {name: x.tolist() for name, x in samples.features.items()}
    table = pl.DataFrame({"id": samples.ids, "label": samples.labels, **vectors})
    table.write_parquet(folder / "whole.parquet")
    (folder / "shards").mkdir()
    for k, shard in enumerate(table.iter_slices(450)):
        shard.write_parquet(folder / "shards" / f"{k:03}.parquet")
    modalities = ", ".join(f"{name}: {{columns: {name}}}" for name in vectors)
    for name, source, streaming in (("whole", "whole.parquet", "false"), ("shards", "shards", "false")):
        text = CONFIG.format(source=source, streaming=streaming, modalities=modalities)
        (folder / f"{name}.yaml").write_text(text)
    return folder


def command(*arguments):
    return [sys.executable, "-m", "qmf", "fit", *arguments, "-q"]


def test_a_run_on_shards_that_was_killed_goes_on_and_ends_as_one_in_memory(digits):
    subprocess.run(command("whole.yaml", "-o", "whole"), cwd=digits, check=True, capture_output=True)
    process = subprocess.Popen(command("shards.yaml", "-o", "shards-model"), cwd=digits, stderr=subprocess.DEVNULL)
    run = digits / "shards-model.unfinished"
    while not (run / "checkpoint.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    index = run / "data" / "index.json"
    written, seen = index.stat().st_mtime_ns, set()
    again = subprocess.Popen(command("shards.yaml", "-o", "shards-model", "--resume"), cwd=digits)
    while again.poll() is None:
        with suppress(FileNotFoundError):  # removed in the end
            seen.add(index.stat().st_mtime_ns)
        time.sleep(0.01)
    assert again.returncode == 0
    assert seen == {written}  # what was stored has served again
    for name in ("model.safetensors", "calibration.safetensors", "labels.json"):
        assert (digits / "shards-model" / name).read_bytes() == (digits / "whole" / name).read_bytes()
    assert not (digits / "shards-model" / "training" / "data").exists()


def test_shards_of_another_set_of_columns_are_named(digits, tmp_path):
    for shard in (digits / "shards").iterdir():
        (tmp_path / shard.name).write_bytes(shard.read_bytes())
    pl.read_parquet(tmp_path / "002.parquet").drop("pixel").write_parquet(tmp_path / "002.parquet")
    text = (digits / "shards.yaml").read_text().replace("train: shards", f"train: {tmp_path}")
    (digits / "other.yaml").write_text(text)
    done = subprocess.run(command("other.yaml", "-o", "other"), cwd=digits, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "002.parquet" in done.stderr
    assert "'pixel'" in done.stderr
    assert not (digits / "other").exists()
    assert not (digits / "other.unfinished").exists()  # nothing to go on with
