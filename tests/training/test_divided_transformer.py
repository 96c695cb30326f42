"""A text model that is trained with the classifier, divided among two processes by the command of the docs."""

import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch

from qmf import QMFClassifier
from qmf.errors import ConfigError
from qmf.training import TrainingSettings

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "day", "night", "park"]
CONFIG = """
data:
  train: train.csv
  validation: test.csv
  label: label
  modalities:
    note: {type: text, columns: note, encoder: bert, tune: full}
    size: {type: numeric, columns: [size]}
model: {dropout: 0}
training: {epochs: 3, batch_size: 16, patience: 100, shard: true}
"""


@pytest.fixture
def folder(save_bert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QMF_CACHE", str(tmp_path / "cache"))
    undropped = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    save_bert(tmp_path / "bert", WORDS, num_hidden_layers=2, max_position_embeddings=12, **undropped)
    (tmp_path / "config.yaml").write_text(CONFIG)
    for name, n, seed in (("train", 70, 0), ("test", 30, 1)):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, n)
        words = [" ".join(rng.choice(["day", "night", "park", ("bad", "good")[label]], 4)) for label in y]
        pl.DataFrame({"note": words, "size": rng.normal(y, 1.0), "label": y}).write_csv(f"{name}.csv")
    return tmp_path


def fit(folder, model, processes):
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    start = [sys.executable, *(launch if processes > 1 else []), "-m", "qmf"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "QMF_OFFLINE": "1"}
    done = subprocess.run(
        [*start, "fit", "config.yaml", "-o", model, "-q"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_command_divides_a_text_model_and_ends_as_one_process(folder):
    fit(folder, "alone", 1)
    fit(folder, "divided", 2)
    wanted, given = (QMFClassifier.load(folder / name) for name in ("alone", "divided"))
    new = {"note": ["good day", "bad night", None], "size": [[0.5], [np.nan], [1.0]]}
    np.testing.assert_allclose(given.predict_proba(new), wanted.predict_proba(new), atol=1e-3)
    weights = given.model_.state_dict()
    for name, value in wanted.model_.state_dict().items():
        torch.testing.assert_close(weights[name], value, rtol=1e-2, atol=1e-3, msg=name)


def test_what_cannot_be_had_together_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match="shard and compile: expected at most one"):
        TrainingSettings(shard=True, compile=True)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ConfigError, match=r"--use_fsdp. does not know the history: set shard=True instead"):
        QMFClassifier(epochs=1).fit({"a": np.eye(40)}, np.arange(40) % 2)
