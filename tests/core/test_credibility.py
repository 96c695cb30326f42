"""Credibility: the posterior by hand, agreement, absence, order; the preset robust end to end."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qmf import QMFClassifier, QualityAwareFusion, fuse
from qmf.datasets import load_handwritten
from qmf.errors import DataError
from qmf.types import FusionOutput
from qmf.uncertainty import Credibility
from qmf.uncertainty.credibility import believe


def enumerated(p, damaged, together=None):
    """The same posterior, by summing over which modalities are intact: 2^M cases.

    Where all are intact, what they say `together` may take the place of the product, with that case's mass raised by
    what `LEAST` takes from it, and doubled.
    """
    m, k = p.shape
    joint = np.zeros((2,) * m + (k,))
    for intact in np.ndindex(*(2,) * m):
        for y in range(k):
            value = 1.0 / k
            for i in range(m):
                value *= (1 - damaged[i]) * p[i, y] if intact[i] else damaged[i] / k
            joint[(*intact, y)] = value
    joint /= joint.sum()
    gamma = [joint.take(1, axis=i).sum() for i in range(m)]
    if together is not None:
        joint[(1,) * m] = 2 * joint[(1,) * m].sum() / 0.8**m * together
        joint /= joint.sum()
    return np.array(gamma), joint.reshape(-1, k).sum(axis=0)


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_it_is_the_posterior_over_every_combination_of_damage(seed, m, k):
    draw = np.random.default_rng(seed)
    logits, evidence = draw.normal(0, 3, (m, k)), draw.normal(0, 4, m)
    typical = 1 / (1 + np.exp(evidence + math.log(0.2 / 0.8)))
    damaged = np.minimum(1 - 0.8 * typical, 0.95)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    together = draw.dirichlet(np.ones(k))
    for joint in (None, together):
        gamma, posterior = enumerated(p, damaged, joint)
        given = None if joint is None else torch.tensor(joint).log()[None]
        belief = believe(torch.tensor(logits)[None], torch.tensor(evidence)[None], None, given)
        np.testing.assert_allclose(belief.log_credibility.exp()[0], gamma, rtol=1e-9)
        np.testing.assert_allclose(belief.log_posterior.exp()[0], posterior, rtol=1e-6)
        loss = -np.log(0.95 * p + 0.05 / k)
        np.testing.assert_allclose(belief.expected_loss[0], loss @ posterior, rtol=1e-6)


def test_one_modality_of_two_is_missing_the_joint_head_is_not_asked():
    logits, present = torch.randn(6, 2, 3), torch.tensor([[True, False]] * 6)
    there = believe(logits, torch.zeros(6, 2), present, torch.full((6, 3), torch.nan))
    torch.testing.assert_close(there.log_posterior, believe(logits, torch.zeros(6, 2), present).log_posterior)


def test_expected_loss_of_a_calibrated_posterior_varies_with_the_loss():
    """E[l | x] = E_P[l] where P is calibrated: their covariance is the variance of E_P[l], so r(u, l) > 0."""
    generator = torch.Generator().manual_seed(0)
    posterior = torch.distributions.Dirichlet(torch.full((4,), 0.5)).sample((20_000,))
    target = torch.multinomial(posterior, 1, generator=generator).squeeze(1)
    head = torch.randn(20_000, 4, generator=generator).softmax(dim=-1)  # whatever a modality says
    loss = -(0.95 * head + 0.05 / 4).log()
    expected, real = (posterior * loss).sum(dim=1), loss.gather(1, target[:, None]).squeeze(1)
    covariance = ((expected - expected.mean()) * (real - real.mean())).mean()
    torch.testing.assert_close(covariance, expected.var(), rtol=0.05, atol=0)


def test_two_that_agree_outvote_a_third_that_is_just_as_sure():
    logits = {"a": [[6.0, 0.0, 0.0]], "b": [[5.0, 0.0, 0.0]], "c": [[0.0, 9.0, 0.0]]}
    prediction = fuse(logits, preset="robust")
    assert prediction.labels.tolist() == [0]
    assert prediction.weights[0, 2] < 0.1 < prediction.weights[0, 0]
    # Equal weights would follow the loudest only if it is loud enough; the paper's weights make it louder still.
    assert fuse(logits | {"c": [[0.0, 30.0, 0.0]]}, preset="paper").labels.tolist() == [1]
    assert fuse(logits | {"c": [[0.0, 30.0, 0.0]]}, preset="robust").labels.tolist() == [0]


def test_weights_are_on_the_simplex_with_what_is_withheld_and_zero_where_absent():
    logits = torch.randn(50, 3, 4).numpy()
    present = np.array([[True, True, False]] * 50)
    prediction = fuse({n: logits[:, m] for m, n in enumerate("abc")}, present, preset="robust")
    a = np.exp(-prediction.uncertainty[:, :2].astype(np.float64))
    np.testing.assert_allclose(prediction.withheld_weight, 1 / (1 + a.sum(axis=1)), rtol=1e-5)
    assert (prediction.weights[:, 2] == 0).all()
    assert (prediction.weights[:, :2] > 0).all()
    alone = fuse({n: logits[:, m] for m, n in enumerate("ab")}, preset="robust")
    np.testing.assert_array_equal(prediction.probabilities, alone.probabilities)


def test_in_training_all_count_the_same():
    model = QualityAwareFusion({n: torch.nn.Linear(3, 4) for n in "ab"}, 3, preset="robust", heads=_heads())
    inputs = {"a": torch.randn(5, 3), "b": torch.randn(5, 3)}
    output = model(inputs)
    torch.testing.assert_close(output.weights, torch.full((5, 2), 0.5))
    h = torch.cat([model.encoders[m](x) for m, x in enumerate(inputs.values())], dim=1)
    torch.testing.assert_close(output.logits, model.joint(h))
    one = torch.tensor([[True, True]] * 4 + [[True, False]])
    torch.testing.assert_close(model(inputs, one).logits[4], output.unimodal_logits[4, 0])


def test_typicality_of_own_encoders_is_that_of_their_features():
    torch.manual_seed(0)
    model = QualityAwareFusion({n: torch.nn.Linear(3, 4) for n in "ab"}, 3, preset="robust", heads=_heads())
    x = {"a": torch.randn(200, 3), "b": torch.randn(200, 3)}
    model.eval().fit_typicality(x, torch.ones(200, 2, dtype=torch.bool))
    usual, broken = model(x).weights, model(x | {"b": x["b"] + 100}).weights
    assert broken[:, 1].mean() < 0.3 * usual[:, 1].mean()
    with pytest.raises(DataError, match="inputs has no modality 'b': typicality is learnt from all"):
        model.fit_typicality({"a": x["a"]}, torch.ones(200, 2, dtype=torch.bool))
    left_out = model({"a": x["a"]})
    assert (left_out.weights[:, 1] == 0).all()
    assert torch.isfinite(left_out.logits).all()


class Directions(torch.nn.Module):
    out_features = 3

    def forward(self, x):
        return x / x.norm(dim=1, keepdim=True)  # NaN of the zeros that stand where a modality is absent


def test_features_that_are_no_numbers_where_a_modality_is_absent_have_no_effect():
    torch.manual_seed(0)
    model = QualityAwareFusion({"a": Directions(), "b": Directions()}, 3, preset="robust")
    x = {"a": torch.randn(200, 3), "b": torch.randn(200, 3)}
    present = torch.ones(200, 2, dtype=torch.bool)
    model.eval().fit_typicality(x, present)
    present[::2, 1] = False
    output, alone = model(x, present), model({"a": x["a"]})
    assert torch.isfinite(output.logits).all()
    torch.testing.assert_close(output.weights[::2], alone.weights[::2])
    torch.testing.assert_close(output.logits[1::2], model(x).logits[1::2])


def test_the_evidence_comes_out_and_is_unknown_where_nothing_was_there_to_look_at():
    torch.manual_seed(0)
    model = QualityAwareFusion({n: torch.nn.Linear(3, 4) for n in "ab"}, 3, preset="robust", heads=_heads()).eval()
    x = {"a": torch.randn(200, 3), "b": torch.randn(200, 3)}
    present = torch.ones(200, 2, dtype=torch.bool)
    assert model(x).evidence.isnan().all()  # nothing is known before it was fitted
    model.fit_typicality(x, present)
    present[0, 1] = False
    found = model(x, present).evidence
    said = [
        t.evidence(encoder(v))
        for t, encoder, v in zip(model.uncertainty.typicality, model.encoders, x.values(), strict=True)
    ]
    torch.testing.assert_close(found[present], torch.stack(said, dim=1)[present])
    assert found[0, 1].isnan()
    assert model({"a": x["a"]}).evidence[:, 1].isnan().all()
    assert model.train()(x).evidence is None
    paper = QualityAwareFusion({n: torch.nn.Linear(3, 4) for n in "ab"}, 3, heads=_heads())
    assert paper(x).evidence is None


@pytest.mark.parametrize("preset", ["robust", "paper"])
def test_batches_joined_are_the_whole(preset):
    model = QualityAwareFusion({n: torch.nn.Linear(3, 4) for n in "ab"}, 3, preset=preset, heads=_heads()).eval()
    x = {"a": torch.randn(7, 3), "b": torch.randn(7, 3)}
    parts = [model({name: v[rows] for name, v in x.items()}) for rows in (slice(3), slice(3, 7))]
    for joined, whole in zip(FusionOutput.joined(parts), model(x), strict=True):
        torch.testing.assert_close(joined, whole, equal_nan=True)


def _heads():
    torch.manual_seed(1)
    return {"a": torch.nn.Linear(4, 3), "b": torch.nn.Linear(4, 3)}


@pytest.fixture(scope="module")
def digits():
    training, test = load_handwritten("train", seed=0), load_handwritten("test", seed=0)
    robust = QMFClassifier(random_state=0, epochs=15).fit(training)
    return robust, test


def test_three_dead_views_of_six_are_found_and_change_little(digits):
    robust, test = digits
    dead = ("pixel", "profile", "fourier")
    broken = {name: np.zeros_like(x) if name in dead else x for name, x in test.features.items()}
    prediction = robust.predict_full(broken)
    assert (prediction.labels == test.labels).mean() > 0.95
    weights = dict(zip(prediction.modalities, prediction.weights.mean(axis=0), strict=True))
    assert max(weights[name] for name in dead) < 0.05
    static = QMFClassifier(preset="static", random_state=0, epochs=15).fit(load_handwritten("train", seed=0))
    assert static.score(broken, test.labels) < 0.5


def test_what_was_learnt_of_typicality_is_saved(digits, tmp_path):
    robust, test = digits
    robust.save(tmp_path / "model")
    again = QMFClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_full(test).weights, robust.predict_full(test).weights)
    assert isinstance(again.model_.uncertainty, Credibility)
    assert all(typicality.fitted for typicality in again.model_.uncertainty.typicality)


def test_batch_size_and_an_absent_modality_change_nothing(digits):
    robust, test = digits
    some = test.take(np.arange(40))
    whole = robust.predict_full(some).probabilities
    parts = [robust.predict_full(some.take(np.arange(i, i + 1))).probabilities for i in range(40)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-9)
    garbage = {name: [None] * 40 if name == "pixel" else x for name, x in some.features.items()}
    without = {name: x for name, x in some.features.items() if name != "pixel"}
    np.testing.assert_array_equal(robust.predict_proba(garbage), robust.predict_proba(without))


def test_the_history_is_kept(digits):
    robust, _ = digits
    assert len(robust.hardest_samples("pixel", 5)) == 5
