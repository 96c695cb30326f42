"""The certificate of a classifier: features and norms of its heads, computed again from its parameters."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from qmf import QMFClassifier, QualityAwareFusion
from qmf.certification import certify_classifier, linear_heads
from qmf.data import from_arrays
from qmf.errors import DataError


@pytest.fixture(scope="module")
def classifier():
    rng = np.random.default_rng(0)
    y = np.array(["cat", "dog", "fox"] * 40)
    X = {"a": rng.normal(np.arange(120)[:, None] % 3, 1, (120, 5)), "b": rng.normal(0, 1, (120, 2))}
    return QMFClassifier(preset="paper", hidden=7, epochs=4, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(1)
    b = [None if i % 5 == 0 else rng.normal(0, 1, 2) for i in range(60)]
    X = {"a": rng.normal(np.arange(60)[:, None] % 3, 1, (60, 5)), "b": b}
    return from_arrays(X, np.array(["cat", "dog", "fox"] * 20))


def test_heads_are_those_of_the_model(classifier, samples):
    state = {name: tensor.double().numpy() for name, tensor in classifier.model_.state_dict().items()}
    for m, (name, head) in enumerate(zip(("a", "b"), linear_heads(classifier.model_, samples), strict=True)):
        z = (samples.features[name] - state[f"encoders.{m}.mean"]) / state[f"encoders.{m}.std"]
        h = np.maximum(z @ state[f"encoders.{m}.hidden.weight"].T + state[f"encoders.{m}.hidden.bias"], 0)
        np.testing.assert_allclose(head.features, np.hstack([h, np.ones((60, 1))]))
        weight, bias = state["heads.weight"][m], state["heads.bias"][m]
        assert head.norm == pytest.approx(math.sqrt(np.sum(weight**2) + np.sum(bias**2)))
        # And what they give is what the model gives.
        logits = head.features @ np.hstack([weight, bias[:, None]]).T
        p = classifier.predict_full(samples).unimodal_probabilities[:, m]
        there = samples.present[:, m]
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(p[there], expected[there], rtol=1e-9)


def test_the_certificate_counts_what_is_present(classifier, samples):
    certificate = certify_classifier(classifier, samples)
    assert [terms.present for terms in certificate.modalities] == [60, 48]
    assert any("Absent in some samples" in note and note.endswith(": b.") for note in certificate.notes)
    assert certificate.answer_accuracy == pytest.approx(classifier.score(samples, samples.labels))


def test_heads_of_ones_own_have_no_complexity():
    samples = from_arrays({"a": np.ones((4, 3)), "b": np.ones((4, 5))})
    encoders = {"a": nn.Linear(3, 2), "b": nn.Linear(5, 4)}
    known, unknown = linear_heads(QualityAwareFusion(encoders, 2, heads={"a": nn.Identity()}), samples)[::-1]
    assert known.features.shape == (4, 5)
    assert unknown is None
    bare = QualityAwareFusion(encoders, 2, heads={"a": nn.Linear(2, 2), "b": nn.Sequential(nn.Linear(4, 2))})
    first, second = linear_heads(bare, samples)
    assert second is None
    with torch.no_grad():
        assert first.norm == pytest.approx(
            float(sum(p.square().sum() for p in bare.heads.heads[0].parameters()) ** 0.5)
        )


def test_labels_are_needed(classifier, samples):
    with pytest.raises(DataError, match="label"):
        certify_classifier(classifier, from_arrays({"a": samples.features["a"], "b": samples.features["b"]}))
