"""Sets, risk targets and abstention through the real command."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest


def qmf(*arguments, cwd):
    command = [sys.executable, "-m", "qmf", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


CONFIG = """
data:
  train: train.csv
  label: kind
  modalities:
    a: {columns: "a*"}
    b: {columns: "b*"}
model: {hidden: 16}
training: {epochs: 10, learning_rate: 0.01, validation_fraction: 0.3}
"""


def table(n, seed):
    rng = np.random.default_rng(seed)
    center = 2.5 * np.eye(3)[np.arange(n) % 3]
    columns = {f"{name}{j}": rng.normal(center[:, j], 1.6) for name in "ab" for j in range(3)}
    return pl.DataFrame({"kind": np.array(["cat", "dog", "emu"])[np.arange(n) % 3], **columns})


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    table(600, 0).write_csv(folder / "train.csv")
    table(300, 1).write_csv(folder / "test.csv")
    (folder / "config.yaml").write_text(CONFIG)
    done = qmf("fit", "config.yaml", "-o", "model", "-q", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_predict_with_sets_and_a_risk_target(workplace):
    done = qmf("predict", "model", "test.csv", "-o", "p.parquet", "--risk", 0.1, "--sets", 0.9, "--json", cwd=workplace)
    assert done.returncode == 0, done.stderr
    frame = pl.read_parquet(workplace / "p.parquet")
    assert frame["abstain"].dtype == pl.Boolean
    assert frame["abstain"].to_list() == (frame["abstain_reason"] != "").to_list()
    assert json.loads(done.stdout)["withheld"] == frame["abstain"].sum() > 0
    assert "too uncertain" in frame["abstain_reason"].to_list()
    assert frame["set_valid"].all()
    truth = pl.read_csv(workplace / "test.csv")["kind"].to_list()
    held = [kind in labels.split("|") for kind, labels in zip(truth, frame["set"], strict=True)]
    assert np.mean(held) == pytest.approx(0.9, abs=0.09)  # three deviations
    assert [len(labels.split("|")) if labels else 0 for labels in frame["set"]] == frame["set_size"].to_list()


def test_predict_without_either_has_no_set(workplace):
    done = qmf("predict", "model", "test.csv", "-o", "plain.csv", "--absent", "b", cwd=workplace)
    assert done.returncode == 0, done.stderr
    columns = pl.read_csv(workplace / "plain.csv").columns
    assert {"abstain", "abstain_reason"} <= set(columns)
    assert "set" not in columns


def test_aps_sets(workplace):
    done = qmf("predict", "model", "test.csv", "-o", "a.jsonl", "--sets", 0.95, "--set-method", "aps", cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert pl.read_ndjson(workplace / "a.jsonl")["set_size"].max() > 1


def test_evaluate_says_how_often_sets_cover_and_what_is_withheld(workplace):
    done = qmf("evaluate", "model", "test.csv", "--all-patterns", "--risk", 0.1, "--json", cwd=workplace)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    for scores in (result, *result["patterns"].values()):
        for method in ("lac", "aps"):
            assert scores["sets"][method]["coverage"] == pytest.approx(0.9, abs=0.09)
        assert scores["sets"]["lac"]["num_valid"] == 300
    assert result["withheld"]["too uncertain"] > 0
    assert result["accuracy_answered"] >= result["accuracy"]
    shown = qmf("evaluate", "model", "test.csv", "--all-patterns", cwd=workplace)
    assert "in 90 % of cases" in shown.stderr
    assert "answers withheld" in shown.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sets", 1.5], "--sets 1.5: expected a number between 0 and 1"),
        (["--risk", 2], "risk=2.0: expected a number between 0 and 1"),
        (["--sets", 0.9, "--set-method", "raps"], "method='raps' does not exist; expected 'lac' or 'aps'"),
    ],
)
def test_wrong_options_exit_with_2(workplace, options, message):
    done = qmf("predict", "model", "test.csv", "-o", "never.csv", *options, cwd=workplace)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert not (workplace / "never.csv").exists()


def test_a_model_that_is_not_calibrated_says_what_to_do(workplace):
    uncalibrated = ["--set", "training.validation_fraction=0", "--set", "training.epochs=1", "-q"]
    assert qmf("fit", "config.yaml", "-o", "plain", *uncalibrated, cwd=workplace).returncode == 0
    done = qmf("predict", "plain", "test.csv", "-o", "never.csv", "--sets", 0.9, cwd=workplace)
    assert done.returncode == 2
    assert "not calibrated: that takes at least 50 samples" in done.stderr
    result = json.loads(qmf("evaluate", "plain", "test.csv", "--json", cwd=workplace).stdout)
    assert "sets" not in result
