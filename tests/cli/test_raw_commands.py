"""The commands on a table of pictures and texts, as a person uses them: init, validate, fit, evaluate, predict, ..."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image

N = 60


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    (folder / "pic").mkdir()
    rows = []
    for i in range(N):
        bright = i % 2
        picture = rng.integers(0, 60, (12, 12, 3)) + 150 * bright
        Image.fromarray(picture.astype(np.uint8)).save(folder / "pic" / f"{i}.png")
        words = ["sunny", "beach", "noon", "sand"] if bright else ["night", "moon", "cave", "bats"]
        text = " ".join(rng.choice(words, 4)) + f" number {i}"
        rows.append({"id": f"s{i}", "label": "day" if bright else "night", "img": f"pic/{i}.png", "text": text})
    rows[5]["img"] = None
    rows[8]["text"] = ""
    pl.DataFrame(rows).write_csv(folder / "t.csv")
    pl.DataFrame(rows[:20]).write_csv(folder / "test.csv")
    result = qmf(folder, "init", "t.csv", "-o", "c.yaml")
    assert result.returncode == 0, result.stderr
    config = yaml.safe_load((folder / "c.yaml").read_text())
    config["data"]["modalities"]["img"] |= {"encoder": "small-cnn", "options": {"size": 12}}
    config["data"]["modalities"]["text"] |= {"encoder": "hashed-words", "options": {"out_features": 64}}
    config["data"]["workers"] = 0
    config["training"] = {"epochs": 12}
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    result = qmf(folder, "fit", "c.yaml", "-o", "model", "-q")
    assert result.returncode == 0, result.stderr
    return folder


def qmf(folder, *arguments):
    environment = {"PATH": "/usr/bin", "QMF_CACHE": str(folder / "cache"), "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "qmf.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_init_proposes_types_and_overwrites_nothing(root):
    proposal = qmf(root, "init", "t.csv", "-o", "again.yaml")
    assert "img: image" in proposal.stderr
    section = yaml.safe_load((root / "again.yaml").read_text())["data"]
    assert section["label"] == "label"
    assert section["id"] == "id"
    assert {name: entry["type"] for name, entry in section["modalities"].items()} == {"img": "image", "text": "text"}
    assert qmf(root, "init", "t.csv", "-o", "again.yaml").returncode == 2


def test_validate_finds_nothing_wrong_but_what_splits_share(root):
    result = qmf(root, "validate", "c.yaml", "--test", "test.csv", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    train = document["parts"]["train"]
    assert train["modalities"]["img"] == {
        "type": "image", "present": N - 1, "absent": 1, "unreadable": 0, "distinct": N - 1,
        "sizes": "12 x 12", "forms": "PNG RGB 59",
    }  # fmt: skip
    assert train["labels"] == {"night": N // 2, "day": N // 2}
    assert len(document["leaks"]) == 19


def test_evaluate_clean_damaged_and_every_pattern(root):
    clean = json.loads(qmf(root, "evaluate", "model", "test.csv", "--json", "--all-patterns").stdout)
    assert clean["accuracy"] >= 0.95
    assert list(clean["patterns"]) == ["img+text", "img", "text"]
    assert clean["patterns"]["img"]["num_samples"] == 19
    conflict = json.loads(qmf(root, "evaluate", "model", "test.csv", "--json", "--apply", "text=conflict").stdout)
    assert conflict["per_modality"]["text"]["accuracy"] < 0.2
    nothing = qmf(root, "evaluate", "model", "test.csv", "--apply", "text=absent")
    assert nothing.returncode == 3
    assert "no modality is present in line 7 (id 's5')" in nothing.stderr
    wrong = qmf(root, "evaluate", "model", "test.csv", "--apply", "img=mist:3")
    assert wrong.returncode == 2
    assert "no corruption 'mist'" in wrong.stderr


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_predict_streams_every_row_in_order(root, ending):
    big = pl.read_csv(root / "t.csv").select(
        pl.all().repeat_by(400).explode(), row=pl.int_range(0, 400 * N).cast(pl.String)
    )
    path = root / f"big.{ending}"
    big = big.with_columns(id=pl.col("row")).drop("row")
    {"csv": big.write_csv, "jsonl": big.write_ndjson, "parquet": big.write_parquet}[ending](path)
    result = qmf(root, "predict", "model", path.name, "-o", f"p.{ending}", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["rows"] == 400 * N
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[ending]
    table = read(root / f"p.{ending}")
    assert table["id"].cast(pl.String).to_list() == big["id"].to_list()
    assert (table["label"] == big["label"]).mean() > 0.95
    assert table["weight_img"][5 * 400] == 0


def test_a_bad_row_in_a_later_part_is_named_and_nothing_is_written(root):
    rows = pl.read_csv(root / "t.csv").select(pl.all().repeat_by(200).explode())
    rows = rows.with_columns(id=pl.int_range(0, 200 * N).cast(pl.String))
    rows[11_000, "img"] = "broken.png"
    (root / "broken.png").write_bytes(b"")
    rows.write_csv(root / "bad.csv")
    result = qmf(root, "predict", "model", "bad.csv", "-o", "bad.parquet")
    assert result.returncode == 3
    assert "line 11002 (id '11000'), modality 'img'" in result.stderr
    assert not (root / "bad.parquet").exists()


def test_corrupt_writes_a_copy_that_qmf_reads(root):
    apply = ("--apply", "img=gaussian_noise:5", "--apply", "text=blank_words:5")
    result = qmf(root, "corrupt", "c.yaml", *apply, "-o", "noisy", "--limit", "10")
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in (root / "noisy" / "manifest.jsonl").read_text().splitlines()]
    assert len(rows) == 10
    assert rows[5]["img"] is None
    assert "_" in rows[0]["text"]
    assert Image.open(root / "noisy" / rows[0]["img"]).size == (12, 12)
    (root / "r.yaml").write_text(
        "seed: 0\ncorruptions: {img: {name: gaussian_noise, severity: 5}, text: blank_words:5}\n"
    )
    assert qmf(root, "corrupt", "c.yaml", "--recipe", "r.yaml", "-o", "same", "--limit", "10").returncode == 0
    one, two = (np.asarray(Image.open(root / d / rows[0]["img"])) for d in ("noisy", "same"))
    assert (one == two).all()
    assert qmf(root, "evaluate", "model", "noisy/manifest.jsonl").returncode == 0
    assert qmf(root, "corrupt", "c.yaml", "-o", "none").returncode == 2


def test_the_cache_is_shown_and_cleared(root):
    shown = json.loads(qmf(root, "cache", "--json").stdout)
    assert [entry["kind"] for entry in shown["encoders"]] == ["text"]
    assert json.loads(qmf(root, "cache", "--clear", "--json").stdout)["freed"] > 0
    assert json.loads(qmf(root, "cache", "--json").stdout)["bytes"] == 0
