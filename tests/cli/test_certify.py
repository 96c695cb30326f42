"""``qmf certify``, end to end: QMF as published fails under damage, robust does not; the numbers are the right ones."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

import qmf
from qmf.cli.corrupt import every_modality, parse_damages
from qmf.corruptions import corrupt

STRONG = ["--apply", "all=feature_gaussian:5:0.5"]
VIEWS = ["fourier", "profile", "karhunen", "pixel", "zernike", "morphological"]


def command(*arguments, cwd):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "qmf", *map(str, arguments)]
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("certify")
    for preset in ("paper", "robust"):
        options = ["--set", f"model.preset={preset}", "--set", "training.epochs=12", "--seed", "0", "-q"]
        done = command("fit", "handwritten", "-o", preset, *options, cwd=place)
        assert done.returncode == 0, done.stderr
    return place


def certified(folder, preset, *options):
    done = command("certify", preset, "handwritten", *options, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_after_strong_damage_paper_is_not_certified_and_robust_is(folder):
    paper, robust = (certified(folder, preset, *STRONG) for preset in ("paper", "robust"))
    assert paper["verdict"]["status"] in ("not certified", "harmful")
    assert robust["verdict"]["status"] == "certified"
    assert max(terms["test"]["upper"] for terms in robust["modalities"]) < 0
    assert paper["total"]["covariance"] > 0 > robust["total"]["covariance"]
    dynamic, static = robust["dynamic"]["bound"], robust["matched_static"]["bound"]
    assert dynamic["theorem_1"] - static["theorem_1"] == pytest.approx(robust["total"]["covariance"])
    assert dynamic["held_out"] < static["held_out"] < 1


def test_the_numbers_are_those_of_plain_numpy(folder):
    """Damage, outputs, covariances, bounds and complexities again, by hand, from the model's parameters."""
    found = certified(folder, "paper", "--apply", "pixel=feature_gaussian:3", "--seed", 7, "--delta", 0.1)
    train, test = (qmf.datasets.load_handwritten(part, seed=0) for part in ("train", "test"))
    classifier = qmf.QMFClassifier.load(folder / "paper")
    spread = classifier.model_.encoders[VIEWS.index("pixel")].std.numpy()
    varies = train.features["pixel"].std(axis=0) > 0
    kept = train.features["pixel"].std(axis=0)[varies]  # a tenth of the training samples chose the epoch
    np.testing.assert_allclose(spread[varies], kept, rtol=0.2)
    key = {"kind": "vector", "seed": 7, "modality": "pixel", "scale": spread, "center": np.zeros(len(spread))}
    pixel = [
        corrupt(x.astype(np.float64), "feature_gaussian", 3, sample_id=name, **key)
        for x, name in zip(test.features["pixel"], test.ids, strict=True)
    ]
    features = test.features | {"pixel": np.array(pixel, dtype=np.float32)}
    output, n, k = classifier.predict_full(features), len(test), 10
    y = np.searchsorted(classifier.classes_, test.labels)
    w = np.clip(output.weights.astype(np.float64), 0, None)
    w = w / w.sum(axis=1, keepdims=True)
    q = 0.95 * output.unimodal_probabilities + 0.05 / k
    losses = np.stack([-np.log(q[np.arange(n), m, y]) / math.log(k / 0.05) for m in range(6)], axis=1)
    covariances = [np.cov(w[:, m], losses[:, m], bias=True)[0, 1] for m in range(6)]
    state = {name: tensor.double().numpy() for name, tensor in classifier.model_.state_dict().items()}
    for m, terms in enumerate(found["modalities"]):
        assert terms["name"] == VIEWS[m]
        assert terms["mean_weight"] == pytest.approx(w[:, m].mean())
        assert terms["mean_loss"] == pytest.approx(losses[:, m].mean())
        assert terms["test"]["covariance"] == pytest.approx(covariances[m])
        assert terms["correlation"] == pytest.approx(np.corrcoef(w[:, m], losses[:, m])[0, 1])
        z = (features[VIEWS[m]] - state[f"encoders.{m}.mean"]) / state[f"encoders.{m}.std"]
        h = np.maximum(z @ state[f"encoders.{m}.hidden.weight"].T + state[f"encoders.{m}.hidden.bias"], 0)
        norm = math.sqrt(np.sum(state["heads.weight"][m] ** 2) + np.sum(state["heads.bias"][m] ** 2))
        bound = norm / n * math.sqrt(k * (np.sum(h**2) + n))
        assert terms["complexity"]["norm_bound"] == pytest.approx(bound)
        assert terms["complexity"]["monte_carlo"] == pytest.approx(bound, rel=0.1)
    bound = found["dynamic"]["bound"]
    assert bound["weighted_loss"] == pytest.approx(w.mean(axis=0) @ losses.mean(axis=0))
    assert bound["covariance"] == pytest.approx(sum(covariances))
    assert bound["held_out"] == pytest.approx((w * losses).sum(axis=1).mean() + math.sqrt(math.log(10) / (2 * n)))
    assert bound["confidence"] == pytest.approx(6 * math.sqrt(math.log(10) / (2 * n)))
    f = (w[..., None] * np.log(q)).sum(axis=1)
    assert found["dynamic"]["accuracy"] == pytest.approx(np.mean(f.argmax(axis=1) == y))
    assert found["answer_agreement"] == pytest.approx(np.mean(output.probabilities.argmax(1) == f.argmax(1)))


def test_people_get_tables_and_a_sentence(folder):
    done = command("certify", "robust", "handwritten", *STRONG, "--absent", "pixel", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    text = " ".join(done.stderr.split())
    for said in ("Dynamic fusion is certified here, because", "bound of Theorem 1", "held-out bound", "static, equal"):
        assert said in text
    assert "without a say in the verdict: pixel." in text
    assert "nan" not in text


def test_evaluate_damages_vectors_too(folder):
    def accuracy(*apply):
        done = command("evaluate", "paper", "handwritten", "--json", *apply, cwd=folder)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["per_modality"]

    hit = accuracy("--apply", "all=zeroed", "--apply", "pixel=feature_gaussian:1", "--apply", "zernike=absent:1:0.5")
    assert hit["fourier"]["accuracy"] < 0.3
    assert hit["pixel"]["accuracy"] > 0.8
    assert 120 < hit["zernike"]["present"] < 280


def test_all_stands_for_every_modality_not_named_itself():
    given = parse_damages(["all=zeroed", "b=absent"])
    assert {name: damage.name for name, damage in every_modality(given, ["a", "b", "c"]).items()} == {
        "a": "zeroed",
        "b": "absent",
        "c": "zeroed",
    }
    assert set(every_modality(given, ["all", "b"])) == {"all", "b"}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["handwritten", "--apply", "pixel=fog:3"], 2, "'fog' does not fit kind 'vector'"),
        (["handwritten", "--delta", "0.5"], 2, "delta=0.5"),
    ],
)
def test_wrong_use_is_named(folder, arguments, status, words):
    done = command("certify", "paper", *arguments, cwd=folder)
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (status, True, False), done.stderr
