import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

from qmf.calibration import best_temperature
from qmf.errors import ConfigError, DataError
from qmf.evaluation import evaluate_prediction
from qmf.fusion import QualityAwareFusion
from qmf.metrics import accuracy, expected_calibration_error, negative_log_likelihood, weight_loss_correlation
from qmf.posthoc import PostHocFusion, fuse

RNG = np.random.default_rng(0)
P = RNG.dirichlet(np.ones(4), 50)
Y = RNG.integers(0, 4, 50)


def test_calibration_error_by_hand():
    # Two bins are filled: (0.5, 0.6] with one of two right, (0.9, 1.0] with two of two right.
    p = np.array([[0.55, 0.45], [0.58, 0.42], [0.95, 0.05], [0.05, 0.95]])
    target = np.array([0, 1, 0, 1])
    expected = 0.5 * abs(0.5 - 0.565) + 0.5 * abs(1.0 - 0.95)
    assert expected_calibration_error(p, target, bins=10) == pytest.approx(expected)


def test_metrics_agree_with_scikit_learn():
    assert accuracy(P, Y) == pytest.approx(accuracy_score(Y, P.argmax(axis=1)))
    assert negative_log_likelihood(P, Y) == pytest.approx(log_loss(Y, P, labels=range(4)))


def test_correlation_agrees_with_numpy_and_knows_when_there_is_none():
    w, loss = RNG.random(30), RNG.random(30)
    assert weight_loss_correlation(w, loss) == pytest.approx(np.corrcoef(w, loss)[0, 1])
    assert np.isnan(weight_loss_correlation(np.full(5, 0.3), loss[:5]))
    assert np.isnan(weight_loss_correlation(w[:1], loss[:1]))


def test_no_samples_no_number():
    empty, none = np.zeros((0, 2)), np.zeros(0, dtype=int)
    assert all(np.isnan(m(empty, none)) for m in (accuracy, negative_log_likelihood, expected_calibration_error))


def test_evaluation_of_each_modality_is_over_those_that_have_it():
    logits = {"a": np.array([[5.0, 0.0], [5.0, 0.0]]), "b": np.array([[np.nan, np.nan], [0.0, 5.0]])}
    result = evaluate_prediction(fuse(logits), np.array([0, 1]))
    assert result["per_modality"]["b"]["present"] == 1
    assert result["per_modality"]["b"]["accuracy"] == 1.0
    assert result["per_modality"]["a"]["accuracy"] == 0.5


def some_logits():
    return {"image": RNG.normal(0, 2, (20, 3)), "text": RNG.normal(0, 2, (20, 3))}


@pytest.mark.parametrize("options", [{}, {"weighting": "simplex", "uncertainty": "entropy"}, {"preset": "static"}])
def test_fuse_is_the_model_on_given_logits(options):
    logits = some_logits()
    model = QualityAwareFusion(
        {name: nn.Identity() for name in logits}, 3, heads={name: nn.Identity() for name in logits}, **options
    )
    out = model({name: torch.tensor(x, dtype=torch.float32) for name, x in logits.items()})
    prediction = fuse(logits, **options)
    np.testing.assert_allclose(prediction.weights, out.weights, rtol=1e-5)
    np.testing.assert_allclose(prediction.probabilities, out.logits.softmax(1), rtol=1e-4, atol=1e-6)


def test_absent_by_nan_row_or_by_mask():
    logits = some_logits()
    by_mask = fuse(logits, present=np.array([[True, False]] + [[True, True]] * 19))
    logits["text"][0] = np.nan
    by_nan = fuse(logits)
    assert by_nan.weights[0, 1] == 0.0
    np.testing.assert_array_equal(by_nan.probabilities, by_mask.probabilities)


def test_temperature_of_overconfident_logits_is_found():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1.5, (20000, 3))
    target = np.array([rng.choice(3, p=np.exp(row) / np.exp(row).sum()) for row in true])
    assert best_temperature(4.0 * true, target) == pytest.approx(4.0, rel=0.05)
    fusion = PostHocFusion().fit({"m": 4.0 * true}, target)
    assert fusion.temperature_["m"] == pytest.approx(4.0, rel=0.05)
    expected = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    got = fusion.predict_full({"m": 4.0 * true}).unimodal_probabilities[:, 0]
    np.testing.assert_allclose(got, expected, atol=0.02)


def test_labels_and_a_modality_left_out():
    labels = np.array(["cat", "dog", "emu"])
    y = labels[RNG.integers(0, 3, 20)]
    y[:3] = labels
    fusion = PostHocFusion(weighting="simplex").fit(some_logits(), y)
    assert set(fusion.predict(some_logits())) <= set(labels)
    assert fusion.predict_proba({"text": some_logits()["text"]}).shape == (20, 3)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x: {}, DataError, "no logits"),
        (lambda x: x | {"text": x["text"][:5]}, DataError, r"modality 'text' have shape \(5, 3\)"),
        (lambda x: x | {"text": np.where(np.arange(3) == 1, np.nan, x["text"])}, DataError, "'text' contain NaN"),
        (
            lambda x: x | {"text": np.where(np.arange(3) == 1, np.inf, x["text"])},
            DataError,
            "'text' contain NaN or inf",
        ),
        (lambda x: {name: np.full((20, 3), np.nan) for name in x}, DataError, "row 0 has no modality present"),
    ],
)
def test_bad_logits_are_named(change, error, message):
    with pytest.raises(error, match=message):
        fuse(change(some_logits()))


def test_bad_options_are_named():
    with pytest.raises(ConfigError, match="can not be used on logits alone"):
        fuse(some_logits(), uncertainty="true-class-probability")
    with pytest.raises(ConfigError, match="'sound'"):
        fuse(some_logits(), temperature={"sound": 1.0})
    with pytest.raises(ConfigError, match="not fitted"):
        PostHocFusion().predict(some_logits())
    with pytest.raises(DataError, match="2 distinct labels"):
        PostHocFusion().fit(some_logits(), [0, 1] * 10)


@pytest.mark.parametrize("library", ["polars", "pandas", "pyarrow"])
def test_prediction_as_a_frame(library):
    logits = some_logits()
    logits["text"][1] = np.nan
    frame = fuse(logits, classes=["x", "y", "z"]).to_frame(library)
    frame = pl.DataFrame(frame) if library != "pandas" else pl.from_pandas(frame)
    assert frame.height == 20
    assert frame["id"][3] == "3"
    assert frame["uncertainty_text"].null_count() == 1
    assert frame["label_text"][1] is None
    assert frame["weight_text"][1] == 0.0
    assert {"label", "probability", "probability_x", "present_image", "weight_image"} <= set(frame.columns)


def test_prediction_as_a_frame_of_another_library_is_refused():
    with pytest.raises(ConfigError, match="library='excel'"):
        fuse(some_logits()).to_frame("excel")


def test_log_probabilities_have_no_energy_and_small_logits_a_negative_weight():
    p = np.random.default_rng(0).dirichlet(np.ones(3), (2, 5))
    given = {"a": np.log(p[0]), "b": np.log(p[1])}
    with pytest.raises(DataError, match=r"log-probabilities: their energy.*expected logits, or uncertainty='entropy'"):
        fuse(given)
    assert fuse({"a": given["a"]}, uncertainty="entropy").labels.tolist() == p[0].argmax(axis=1).tolist()
    with pytest.warns(UserWarning, match="10 of 10 weights are negative"):
        fuse({name: logits - 1 for name, logits in given.items()})
