"""The runner: rows of all cells, killed and gone on with, the command, the report."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from qmf.benchmark.recipe import load_recipe, shipped_recipes
from qmf.benchmark.runner import run_benchmark
from qmf.benchmark.statistics import published_numbers
from qmf.benchmark.summary import settings_of
from qmf.errors import ConfigError

METHODS = ("paper", "static", "tmc", "mask-oracle")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    np.savez(folder / "d.npz", a=rng.normal(y[:, None], 1, (240, 4)), b=rng.normal(y[:, None], 2, (240, 3)), y=y)
    path = folder / "small.yaml"
    path.write_text(
        "title: small\ndata: {train: d.npz, label: y, modalities: {a: {}, b: {}}}\nbudget: {epochs: 15, hidden: 8}\n"
    )
    return path


def same(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def comparable(folder):
    frame = pl.read_parquet(folder / "results.parquet").drop("seconds")
    return frame.fill_nan(None)


def command(recipe, folder, *more):
    chosen = ["--methods", ",".join(METHODS), "--seeds", "0-1", "-j", "2"]
    return [sys.executable, "-m", "qmf.cli", "benchmark", str(recipe), "-o", str(folder), *chosen, *more]


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    result = subprocess.run(command(recipe, folder), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def test_every_cell_is_there_once_with_all_metrics(finished):
    folder, printed = finished
    frame = pl.read_parquet(folder / "results.parquet")
    conditions = 12 + 2
    assert len(frame) == len(METHODS) * conditions * 2
    assert frame.select("method", "condition", "seed").is_duplicated().sum() == 0
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "nll", "brier", "ece", "aurc", "seconds"):
        assert frame[metric].is_finite().all()
    clean = frame.filter(pl.col("condition") == "clean", pl.col("method") == "static")
    assert clean["accuracy"].min() > 0.5
    assert "mask oracle" in printed
    assert json.loads((folder / "environment.json").read_text())["num_test"] == 48


def test_the_report_needs_nothing_beside_it(finished):
    folder, _ = finished
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert len(page) < 3_000_000
    assert "http" not in page.replace("http://www.w3.org", "")
    for text in ("All methods", "QMF (paper)", "mask oracle", "When a modality is missing", "most distrusted samples"):
        assert text in page
    table = (folder / "table.md").read_text(encoding="utf-8")
    assert table.count("\n") == len(METHODS) + 2
    (folder / "report.html").unlink()
    result = subprocess.run(
        [sys.executable, "-m", "qmf.cli", "report", str(folder)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert (folder / "report.html").read_text(encoding="utf-8") == page


def test_killed_at_random_and_gone_on_with_gives_the_same_rows(recipe, finished, tmp_path):
    folder, draws = tmp_path / "out", random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(
            command(recipe, folder), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(draws.uniform(4, 9))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    result = subprocess.run(command(recipe, folder), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert comparable(folder).equals(comparable(finished[0]))


def test_seeds_shared_out_among_processes_give_the_rows_of_all_in_one(recipe, tmp_path):
    loaded = load_recipe(str(recipe))
    one = run_benchmark(loaded, tmp_path / "one", methods=("paper",), seeds=range(3), jobs=1)
    two = run_benchmark(loaded, tmp_path / "two", methods=("paper",), seeds=range(3), jobs=2)
    assert len(one) == len(two) == 14 * 3
    for a, b in zip(one, two, strict=True):
        assert (a["condition"], a["seed"]) == (b["condition"], b["seed"])
        assert a["nll"] == pytest.approx(b["nll"], abs=1e-4)
    kept = [sorted(path.name for path in (tmp_path / run / "cells").rglob("*.safetensors")) for run in ("one", "two")]
    assert kept[0] == kept[1]
    assert all(name.endswith("-0.safetensors") for name in kept[0])


def test_more_seeds_and_methods_are_added_to_what_is_there(recipe, tmp_path):
    given = load_recipe(str(recipe))
    first = run_benchmark(given, tmp_path / "out", methods=["static"], seeds=[0])
    both = run_benchmark(given, tmp_path / "out", methods=["static", "concat"], seeds=[0])
    kept = [row for row in same(both) if row["method"] == "static"]
    assert json.dumps(kept) == json.dumps(same(first))  # text, for NaN is not equal to itself
    assert {row["method"] for row in both} == {"static", "concat"}


def test_a_table_of_ones_own_without_test_samples_is_split_and_damaged(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 100)
    colours = [("red", "blue")[label ^ (r < 0.2)] for label, r in zip(y, rng.random(100), strict=True)]
    size = [None if i % 9 == 0 else v for i, v in enumerate(rng.normal(2 * y, 1))]
    frame = pl.DataFrame({"id": [f"s{i}" for i in range(100)], "size": size, "colour": colours, "label": y})
    frame.write_csv(tmp_path / "all.csv")
    (tmp_path / "own.yaml").write_text(
        "title: own\ndata:\n  train: all.csv\n  id: id\n  modalities:\n    size: {type: numeric}\n"
        "    colour: {type: categorical}\nconditions:\n"
        "  - {name: swapped, damages: {size: 'swapped:1:0.5', colour: 'swapped:1:0.5'}}\nbudget: {epochs: 5}\n"
    )
    run_benchmark(load_recipe(str(tmp_path / "own.yaml")), tmp_path / "out", methods=["static"], seeds=[0, 1])
    rows = pl.read_parquet(tmp_path / "out" / "results.parquet")
    assert sorted(set(rows["condition"])) == ["clean", "only colour", "only size", "swapped"]
    assert rows.filter(pl.col("condition") == "clean")["samples"].to_list() == [20, 20]
    clean, swapped = (rows.filter(pl.col("condition") == c)["accuracy"].mean() for c in ("clean", "swapped"))
    assert swapped < clean


def test_an_encoder_that_is_trained_with_the_model_is_refused_by_name(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    for i in range(8):
        image.fromarray(np.full((8, 8, 3), 30 * i, dtype=np.uint8)).save(tmp_path / f"{i}.png")
    pl.DataFrame({"photo": [f"{i}.png" for i in range(8)], "label": [0, 1] * 4}).write_csv(tmp_path / "all.csv")
    (tmp_path / "own.yaml").write_text(
        "title: own\ndata:\n  train: all.csv\n  modalities:\n    photo: {type: image, encoder: small-cnn}\n"
    )
    with pytest.raises(ConfigError, match=r"modality 'photo': its encoder 'small-cnn' is trained with the model"):
        run_benchmark(load_recipe(str(tmp_path / "own.yaml")), tmp_path / "out", methods=["static"], seeds=[0])


def test_trials_choose_settings_on_training_data(recipe, tmp_path):
    pytest.importorskip("optuna", reason="optuna is not installed")
    rows = run_benchmark(load_recipe(str(recipe)), tmp_path / "out", methods=["static", "paper"], seeds=[0], trials=3)
    assert {"setting:learning_rate", "setting:dropout"} <= set(rows[0])
    assert "setting:beta" not in rows[0]
    assert 0 <= rows[-1]["setting:beta"] <= 4


def test_a_method_is_given_settings_of_its_own(recipe, tmp_path):
    given = load_recipe(str(recipe))
    own = given.model_copy(update={"options": {"paper": {"beta": 30.0}}})
    plain, equal = (
        run_benchmark(r, tmp_path / name, methods=["paper", "static"], seeds=[0])
        for name, r in (("a", given), ("b", own))
    )
    assert equal[0]["setting:beta"] == 30.0
    assert equal[0]["nll"] != plain[0]["nll"]
    assert same(equal[-1:]) == same(plain[-1:])  # the other method is as before
    shown = settings_of(equal)
    assert shown["QMF (paper)"] == "beta 30"
    assert "hidden 8" in shown["settings"]
    assert list(shown) == ["settings", "QMF (paper)"]
    wrong = given.model_copy(update={"options": {"paper": {"gamma": 1.0}}})
    with pytest.raises(ConfigError, match=r"options.paper.gamma: no setting .* is called 'gamma'; expected beta"):
        run_benchmark(wrong, tmp_path / "c", methods=["paper"], seeds=[0])
    wrong = given.model_copy(update={"options": {"paper": {"beta": -1.0}}})
    with pytest.raises(ConfigError, match=r"options.paper.beta=-1: expected at least 0\."):
        run_benchmark(wrong, tmp_path / "c", methods=["paper"], seeds=[0])
    wrong = given.model_copy(update={"options": {"simplex": {"beta": 1.0}}})
    with pytest.raises(ConfigError, match=r"options.simplex.beta: .*; it has none"):
        run_benchmark(wrong, tmp_path / "c", methods=["paper"], seeds=[0])


def test_wrong_use_is_named(recipe, tmp_path):
    given = load_recipe(str(recipe))
    with pytest.raises(ConfigError, match="no method 'papier'; known: robust, paper, simplex"):
        run_benchmark(given, tmp_path / "a", methods=["papier"])
    run_benchmark(given, tmp_path / "b", methods=["static"], seeds=[0])
    with pytest.raises(ConfigError, match="another recipe or number of trials"):
        run_benchmark(given.model_copy(update={"title": "other"}), tmp_path / "b", methods=["static"], seeds=[0])
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty and holds no benchmark"):
        run_benchmark(given, tmp_path / "c")
    with pytest.raises(ConfigError, match=r"no recipe 'hand': expected a YAML file or one of .*handwritten"):
        load_recipe("hand")
    for arguments, status, text in [
        (["benchmark", str(recipe), "--seeds", "a"], 2, "expected a range such as 0-4"),
        (["report", str(tmp_path)], 3, "holds no finished benchmark"),
    ]:
        result = subprocess.run(
            [sys.executable, "-m", "qmf.cli", *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert (result.returncode, text in result.stderr) == (status, True), result.stderr


def test_shipped_recipes_say_where_their_data_are(monkeypatch):
    known = shipped_recipes()
    assert {"handwritten", "scene15", "landuse21", "mvsa", "nyud2", "food101", "sunrgbd"} <= set(known)
    monkeypatch.delenv("QMF_DATA", raising=False)
    for name in set(known) - {"handwritten"}:
        with pytest.raises(ConfigError, match="QMF_DATA"):
            load_recipe(name)
    monkeypatch.setenv("QMF_DATA", "/data")
    for name in known:
        recipe = load_recipe(name)
        assert recipe.data.where or name == "handwritten"
        if recipe.published:
            columns = published_numbers(recipe.published).columns
            names = {c.name for c in recipe.conditions} or {"conflicting 10+40 %"}
            assert set(columns) - {"clean"} <= names


@pytest.mark.parametrize("name", ["scene15", "landuse21", "fsdd_mnist", "gas_drift"])
def test_recipes_on_the_real_data(name, tmp_path):
    if "QMF_DATA" not in os.environ:
        pytest.skip("QMF_DATA names no folder with the real data sets")
    recipe = load_recipe(name)
    recipe = recipe.model_copy(update={"budget": recipe.budget.model_copy(update={"epochs": 2})})
    rows = run_benchmark(recipe, tmp_path / "out", methods=["probability-average"], seeds=[0])
    classes = json.loads(Path(tmp_path / "out" / "environment.json").read_text())["classes"]
    assert rows[0]["accuracy"] > 2 / len(classes)
