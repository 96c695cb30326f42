"""The whole certificate against an independent computation with plain loops, and what it refuses."""

import json
import math

import numpy as np
import pytest

from qmf.errors import ConfigError, DataError
from qmf.theory import LinearHead, certify

EPS = 0.05


def outputs(seed=0, n=60, m=3, k=4, absent=0.2):
    rng = np.random.default_rng(seed)
    present = rng.random((n, m)) >= absent
    present[np.arange(n), rng.integers(m, size=n)] = True
    p = rng.dirichlet(np.full(k, 0.4), size=(n, m))
    p[~present] = np.nan
    return p, rng.normal(0.3, 0.5, (n, m)), rng.integers(0, k, n), present


def naive(p, weights, y, present):
    """Compute every mean with loops over samples and modalities, straight from the definitions."""
    n, m, k = p.shape
    unit = math.log(k / EPS)
    w, losses, f_losses, right = np.zeros((n, m)), np.full((n, m), np.nan), [], 0
    for i in range(n):
        positive = [max(weights[i, j], 0.0) if present[i, j] else 0.0 for j in range(m)]
        if sum(positive) == 0:
            positive = [float(present[i, j]) for j in range(m)]
        f = np.zeros(k)
        for j in range(m):
            w[i, j] = positive[j] / sum(positive)
            if present[i, j]:
                q = [(1 - EPS) * p[i, j, c] + EPS / k for c in range(k)]
                losses[i, j] = -math.log(q[y[i]]) / unit
                f += w[i, j] * np.log(q)
        f_losses.append((math.log(sum(math.exp(v) for v in f)) - f[y[i]]) / unit)
        right += int(np.argmax(f)) == y[i]
    mean_w = [sum(w[i, j] for i in range(n)) / n for j in range(m)]
    mean_l = [float(np.mean([losses[i, j] for i in range(n) if present[i, j]])) for j in range(m)]
    cov = [
        sum((w[i, j] - mean_w[j]) * ((losses[i, j] if present[i, j] else mean_l[j]) - mean_l[j]) for i in range(n)) / n
        for j in range(m)
    ]
    term_l = sum(a * b for a, b in zip(mean_w, mean_l, strict=True))
    means = {"mean_w": mean_w, "mean_l": mean_l, "cov": cov, "term_l": term_l}
    return means | {"f_loss": sum(f_losses) / n, "accuracy": right / n}


@pytest.mark.parametrize("absent", [0.0, 0.3])
def test_every_mean_agrees_with_plain_loops(absent):
    p, weights, y, present = outputs(absent=absent)
    c = certify(p, weights, y, present)
    truth = naive(p, weights, y, present)
    for m, terms in enumerate(c.modalities):
        assert terms.mean_weight == pytest.approx(truth["mean_w"][m])
        assert terms.mean_loss == pytest.approx(truth["mean_l"][m])
        assert terms.test.covariance == pytest.approx(truth["cov"][m], abs=1e-12)
        assert terms.present == present[:, m].sum()
    assert c.dynamic.bound.weighted_loss == pytest.approx(truth["term_l"])
    assert c.dynamic.bound.covariance == pytest.approx(sum(truth["cov"]))
    assert c.dynamic.loss == pytest.approx(truth["f_loss"])
    assert c.dynamic.accuracy == pytest.approx(truth["accuracy"])
    assert c.dynamic.loss <= c.dynamic.bound.weighted_loss + c.dynamic.bound.covariance
    equal = naive(p, np.ones_like(weights), y, present)
    assert c.equal_static.bound.weighted_loss == pytest.approx(equal["term_l"])
    assert c.equal_static.bound.covariance == pytest.approx(sum(equal["cov"]), abs=1e-12)
    assert c.equal_static.loss == pytest.approx(equal["f_loss"])
    means = naive(p, np.tile(truth["mean_w"], (len(y), 1)), y, present)
    assert c.matched_static.loss == pytest.approx(means["f_loss"])
    moved = sum(abs(a - b) for a, b in zip(truth["mean_w"], equal["mean_w"], strict=True)) / 2
    assert c.away_from_equal == pytest.approx(moved)


def test_complexities_count_the_samples_that_have_the_modality():
    p, weights, y, present = outputs()
    features = np.random.default_rng(1).normal(size=(60, 5))
    c = certify(p, weights, y, present, heads=[LinearHead(features, 2.0), None, LinearHead(features, 1.0)], draws=500)
    first, second, third = (terms.complexity for terms in c.modalities)
    there = features[present[:, 0]]
    assert first.norm_bound == pytest.approx(2.0 / len(there) * math.sqrt(4 * np.sum(there**2)))
    assert first.monte_carlo == pytest.approx(first.norm_bound, rel=0.1)
    assert third.norm == 1.0
    assert second is None
    assert math.isnan(c.dynamic.bound.theorem_1)
    assert any("heads are not linear layers: 1" in note for note in c.notes)
    whole = certify(p, weights, y, present, heads=[LinearHead(features, 2.0)] * 3, draws=20)
    expected = sum(t.mean_weight * c.contraction * t.complexity.monte_carlo for t in whole.modalities)
    assert whole.dynamic.bound.complexity == pytest.approx(expected)
    # Weights that vary cost more than their mean says, never less: the root of a mean square is above the mean.
    assert whole.dynamic.bound.complexity_of_weighted >= 0.95 * expected


def test_the_certificate_is_plain_data_with_its_gaps_said():
    p, weights, y, present = outputs()
    present[:, 2], present[:, 0] = False, True
    p[:, 0] = 0.25
    c = certify(p, weights, y, present, modalities=["a", "b", "c"], answers=y)
    plain = json.loads(json.dumps(c.to_dict()))
    assert plain["verdict"]["status"] in ("certified", "not certified", "harmful")
    assert plain["answer_accuracy"] == 1.0
    assert plain["dynamic"]["bound"]["held_out"] == pytest.approx(c.dynamic.bound.held_out)
    text = " ".join(plain["notes"])
    for said in ("binary classification", "4 classes", "promises no accuracy", "100.0 % of them", "verdict: c."):
        assert said in text
    assert " c " not in plain["verdict"]["sentence"]


def test_weights_that_follow_the_losses_are_certified_and_those_that_run_ahead_are_harmful():
    rng = np.random.default_rng(0)
    right = rng.random((300, 2)) < 0.6
    p = np.stack([np.where(right, 0.95, 0.05), np.where(right, 0.05, 0.95)], axis=2)
    y = np.zeros(300, dtype=int)
    trusting_what_is_right, trusting_what_is_wrong = np.where(right, 0.9, 0.1), np.where(right, 0.1, 0.9)
    assert certify(p, trusting_what_is_right, y).verdict.status == "certified"
    assert certify(p, trusting_what_is_wrong, y).verdict.status == "harmful"
    assert certify(p, rng.random((300, 2)), y).verdict.status == "not certified"


def test_the_seed_decides_the_draws():
    p, weights, y, present = outputs()
    assert (
        certify(p, weights, y, present, random_state=1).total == certify(p, weights, y, present, random_state=1).total
    )
    assert (
        certify(p, weights, y, present, random_state=1).total != certify(p, weights, y, present, random_state=2).total
    )


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"delta": 0.7}, ConfigError, "delta=0.7"),
        ({"weights": np.ones((60, 2))}, DataError, "weights (60, 2)"),
        ({"target": np.full(60, 4)}, DataError, "classes 0 to 3, got 4 to 4"),
        ({"present": np.zeros((60, 3), dtype=bool)}, DataError, "sample 0 has no modality"),
        ({"probabilities": np.full((60, 3, 4), 1.5)}, DataError, "numbers from 0 to 1"),
        ({"probabilities": np.full((1, 3, 4), 0.5)}, DataError, "at least two samples"),
        ({"modalities": ["a"]}, DataError, "1 modalities"),
    ],
)
def test_what_cannot_be_certified_is_refused(change, error, words):
    p, weights, y, present = outputs()
    given = {"probabilities": p, "weights": weights, "target": y, "present": present} | change
    with pytest.raises(error, match=words.replace("(", r"\(").replace(")", r"\)")):
        certify(**given)
