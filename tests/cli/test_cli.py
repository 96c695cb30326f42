"""The real command, end to end, on real and on bad data."""

import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

FAST = ["--set", "training.epochs=3", "--set", "model.hidden=16", "-q"]


def qmf(*arguments, cwd):
    command = [sys.executable, "-m", "qmf", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    center = np.arange(60) % 2
    return pl.DataFrame(
        {
            "name": [f"s{i}" for i in range(60)],
            "kind": [["cat", "dog"][i] for i in center],
            "a1": rng.normal(center, 0.3),
            "a2": rng.normal(center, 0.3),
            "b1": [None if i == 5 else value for i, value in enumerate(rng.normal(center, 0.5))],
        }
    )


CONFIG = """
data:
  train: train.csv
  label: kind
  id: name
  modalities:
    a: {columns: "a*"}
    b: {columns: [b1]}
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("cli")
    table.write_csv(folder / "train.csv")
    (folder / "config.yaml").write_text(CONFIG)
    done = qmf("fit", "config.yaml", "-o", "model", "--json", *FAST, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == 3
    return folder


def test_help_does_not_import_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['qmf', '--help']\n"
        "from qmf.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'polars', 'sklearn', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("demo", "fit", "evaluate", "predict", "info", "doctor", "schema"):
        assert command in done.stdout


def test_evaluate_says_how_good_and_whether_weights_follow_losses(workplace):
    done = qmf("evaluate", "model", "train.csv", "--json", cwd=workplace)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {"accuracy", "nll", "ece", "per_modality", "weights_mean", "weight_loss_correlation"} <= result.keys()
    assert result["num_samples"] == 60
    assert result["per_modality"]["b"]["present"] == 59
    assert set(result["weight_loss_correlation"]) == {"a", "b"}
    shown = qmf("evaluate", "model", "train.csv", cwd=workplace)
    assert shown.stdout == ""
    assert "r(weight, loss)" in shown.stderr


@pytest.mark.parametrize(
    ("name", "read"), [("p.parquet", pl.read_parquet), ("p.csv", pl.read_csv), ("p.jsonl", pl.read_ndjson)]
)
def test_predict_writes_one_row_per_sample_in_order(workplace, name, read):
    done = qmf("predict", "model", "train.csv", "-o", name, cwd=workplace)
    assert done.returncode == 0, done.stderr
    frame = read(workplace / name)
    assert frame["id"].to_list() == [f"s{i}" for i in range(60)]
    assert frame["weight_b"][5] == 0.0
    assert frame["uncertainty_b"][5] is None
    assert set(frame["label"]) <= {"cat", "dog"}


def test_predict_needs_no_label_and_a_modality_can_be_declared_absent(workplace, table):
    table.drop("kind", "b1").write_csv(workplace / "unlabelled.csv")
    refused = qmf("predict", "model", "unlabelled.csv", "-o", "u.csv", cwd=workplace)
    assert refused.returncode == 3
    assert "b1" in refused.stderr
    done = qmf("predict", "model", "unlabelled.csv", "-o", "u.csv", "--absent", "b", cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert set(pl.read_csv(workplace / "u.csv")["weight_b"]) == {0.0}


def test_info_and_run_files(workplace):
    done = qmf("info", "model", "--json", cwd=workplace)
    assert json.loads(done.stdout)["classes"] == ["cat", "dog"]
    run = workplace / "model" / "training"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3
    hardest = [json.loads(line) for line in (run / "hardest.jsonl").read_text().splitlines()]
    assert {"a", "b"} == {row["modality"] for row in hardest}
    assert not list(workplace.glob("*.unfinished"))


def test_doctor_and_schema(tmp_path):
    done = qmf("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
    schema = json.loads(qmf("schema", cwd=tmp_path).stdout)
    assert {"data", "model", "loss", "training", "seed"} == set(schema["properties"])


def test_version():
    done = qmf("--version", cwd=os.curdir)
    assert done.stdout.strip() == "0.1.0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "training.epoch=3"], "unknown key 'training.epoch'; did you mean 'training.epochs'?"),
        (["--set", "modle.hidden=3"], "unknown key 'modle'; did you mean 'model'?"),
        (["--set", "data.modalities.a.colums=x"], "did you mean 'data.modalities.a.columns'?"),
        (["--set", "training.epochs=many"], "training.epochs: input should be a valid integer"),
        (["--set", "training.epochs"], "expected KEY=VALUE"),
        (["--set", "model.preset=papre"], "preset='papre' does not exist"),
    ],
)
def test_wrong_configuration_exits_with_2(workplace, arguments, message):
    done = qmf("fit", "config.yaml", "-o", "never", *arguments, cwd=workplace)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workplace / "never").exists()


def test_a_model_or_an_unfinished_run_is_not_replaced_unasked(workplace):
    again = qmf("fit", "config.yaml", "-o", "model", *FAST, cwd=workplace)
    assert (again.returncode, "holds a model already" in again.stderr) == (2, True)
    (workplace / "other.unfinished").mkdir()
    unfinished = qmf("fit", "config.yaml", "-o", "other", *FAST, cwd=workplace)
    assert (unfinished.returncode, "--resume" in unfinished.stderr) == (2, True)
    done = qmf("fit", "config.yaml", "-o", "other", "--overwrite", *FAST, cwd=workplace)
    assert done.returncode == 0, done.stderr


def bad(table, **columns):
    return table.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


def replaced(table, column, row, value, dtype=pl.String):
    values = table[column].cast(dtype).to_list()
    values[row] = value
    return table.with_columns(pl.Series(column, values))


BAD_TABLES = {
    "missing column": (lambda t: t.drop("b1"), ["column", "'b1'"]),
    "empty file": (lambda t: t.clear(), ["bad.csv"]),
    "text for numbers": (lambda t: replaced(t, "b1", 3, "soft"), ["b1", "soft"]),
    "infinite": (lambda t: replaced(t, "b1", 3, "inf"), ["inf", "b"]),
    "one class": (lambda t: t.with_columns(kind=pl.lit("cat")), ["only one class", "cat"]),
    "duplicate ids": (lambda t: replaced(t, "name", 4, "s3"), ["s3"]),
    "partly empty": (lambda t: replaced(t, "a1", 3, None), ["NaN", "a1", "absent"]),
    "missing label": (lambda t: replaced(t, "kind", 3, None), ["kind"]),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_exit_with_3_and_say_what_and_where(workplace, table, case):
    change, words = BAD_TABLES[case]
    change(table).write_csv(workplace / "bad.csv")
    done = qmf("fit", "config.yaml", "--set", "data.train=bad.csv", "-o", "never", *FAST, cwd=workplace)
    assert done.returncode == 3, done.stderr
    assert all(word in done.stderr for word in [*words, "bad.csv"]), done.stderr
    assert "Traceback" not in done.stderr
    assert not (workplace / "never").exists()


def test_a_warning_is_a_line_and_not_a_place_in_the_code(tmp_path, table):
    table.with_columns(colour=pl.Series(["red", "blue"] * 30)).write_csv(tmp_path / "train.csv")
    table.with_columns(colour=pl.lit("green")).write_csv(tmp_path / "new.csv")
    categories = CONFIG + "    c: {type: categorical, columns: [colour]}\n"
    (tmp_path / "config.yaml").write_text(categories.replace('a: {columns: "a*"}', "a: {type: numeric, columns: [a1]}"))
    assert qmf("fit", "config.yaml", "-o", "model", *FAST, cwd=tmp_path).returncode == 0
    done = qmf("predict", "model", "new.csv", "-o", "out.csv", cwd=tmp_path)
    assert done.stderr.startswith("warning: column 'colour': green not seen in training"), done.stderr
    assert ".py" not in done.stderr


def test_missing_empty_and_unknown_files_exit_with_3(workplace):
    missing = qmf("fit", "config.yaml", "--set", "data.train=nowhere.csv", "-o", "never", *FAST, cwd=workplace)
    assert (missing.returncode, "nowhere.csv" in missing.stderr) == (3, True)
    (workplace / "zero.csv").write_text("")
    zero = qmf("fit", "config.yaml", "--set", "data.train=zero.csv", "-o", "never", *FAST, cwd=workplace)
    assert (zero.returncode, "zero.csv" in zero.stderr) == (3, True)


def test_a_misspelt_built_in_name_exits_with_3(workplace):
    done = qmf("fit", "handwriten", "-o", "never", cwd=workplace)
    assert (done.returncode, "built-in data set (handwritten)" in done.stderr) == (3, True)


def test_label_unseen_in_training_exits_with_3(workplace, table):
    replaced(table, "kind", 3, "fox").write_csv(workplace / "fox.csv")
    done = qmf("evaluate", "model", "fox.csv", cwd=workplace)
    assert done.returncode == 3
    assert all(word in done.stderr for word in ("fox.csv", "'s3'", "'fox'", "unseen in training"))


def test_arrays_of_unequal_length_and_other_keys_exit_with_3(workplace):
    from scipy.io import savemat

    declare = ["--set", "data.modalities={a: {columns: x1}, b: {columns: x2}}", "--set", "data.label=gt", *FAST]
    rng = np.random.default_rng(0)
    savemat(
        workplace / "short.mat", {"x1": rng.normal(size=(20, 3)), "x2": rng.normal(size=(19, 3)), "gt": [0, 1] * 10}
    )
    short = qmf("fit", "short.mat", "-o", "never", *declare, cwd=workplace)
    assert (short.returncode, "19" in short.stderr, "20" in short.stderr) == (3, True, True)
    savemat(
        workplace / "other.mat", {"x1": rng.normal(size=(20, 3)), "y2": rng.normal(size=(20, 3)), "gt": [0, 1] * 10}
    )
    other = qmf("fit", "other.mat", "-o", "never", *declare, cwd=workplace)
    assert (other.returncode, "x2" in other.stderr, "y2" in other.stderr) == (3, True, True)
    savemat(workplace / "good.mat", {"x1": rng.normal(size=(20, 3)), "x2": rng.normal(size=(20, 2)), "gt": [0, 1] * 10})
    good = qmf("fit", "good.mat", "-o", "from_mat", *declare, cwd=workplace)
    assert good.returncode == 0, good.stderr


def test_a_data_file_without_declared_modalities_is_not_guessed(workplace):
    done = qmf("fit", "train.csv", "-o", "never", cwd=workplace)
    assert done.returncode == 2
    assert "which columns are which modality?" in done.stderr


def test_a_damaged_model_exits_with_3(workplace):
    import shutil

    shutil.copytree(workplace / "model", workplace / "broken")
    (workplace / "broken" / "labels.json").write_text("{}")
    done = qmf("predict", "broken", "train.csv", "-o", "x.csv", cwd=workplace)
    assert (done.returncode, "labels.json is damaged" in done.stderr) == (3, True)
