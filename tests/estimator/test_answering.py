"""What a fitted classifier says about its own answers: probabilities, sets, and when it had better not answer."""

import json
import shutil

import numpy as np
import pytest

from qmf import ConfigError, DataError, QMFClassifier
from qmf.datasets import load_handwritten

SMALL = {"epochs": 15, "learning_rate": 0.01, "hidden": 16, "random_state": 0}


def two_views(n, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    y = np.array(["cat", "dog", "emu"])[np.arange(n) % 3]
    center = np.eye(3)[np.arange(n) % 3] * 2.5
    X = {"image": rng.normal(center, spread), "text": rng.normal(center, spread)}
    return X, y


@pytest.fixture(scope="module")
def fitted():
    X, y = two_views(600)
    return QMFClassifier(**SMALL).fit(X, y, validation=two_views(300, seed=1))


@pytest.fixture(scope="module")
def digits():
    """The second and third view of the real digits, calibrated on 400 of the training digits."""
    train = load_handwritten("train").without("fourier", "pixel", "zernike", "morphological")
    parts = {name: train.features[name] for name in ("profile", "karhunen")}
    held = np.arange(len(train)) % 4 == 0
    rows = lambda keep: {name: x[keep] for name, x in parts.items()}  # noqa: E731
    classifier = QMFClassifier(epochs=15, random_state=0)
    return classifier.fit(rows(~held), train.labels[~held], validation=(rows(held), train.labels[held]))


@pytest.fixture(scope="module")
def digits_test():
    test = load_handwritten("test")
    return {name: test.features[name] for name in ("profile", "karhunen")}, test.labels


def test_calibration_changes_probabilities_and_no_label(fitted):
    X, _ = two_views(300, seed=2)
    calibrated = fitted.predict_full(X)
    assert fitted.calibration_.counts.tolist() == [300, 300, 300]
    kept, fitted.calibration_ = fitted.calibration_, None
    try:
        plain = fitted.predict_full(X)
    finally:
        fitted.calibration_ = kept
    assert plain.labels.tolist() == calibrated.labels.tolist()
    assert not np.allclose(plain.probabilities, calibrated.probabilities)
    np.testing.assert_array_equal(plain.weights, calibrated.weights)
    np.testing.assert_allclose(calibrated.probabilities.sum(axis=1), 1.0)


@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize("left", [("image", "text"), ("image",), ("text",)])
def test_sets_cover_for_every_combination_of_modalities(fitted, left, method):
    X, y = two_views(600, seed=3)
    sets = fitted.predict_set({name: X[name] for name in left}, alpha=0.1, method=method)
    truth = np.searchsorted(fitted.classes_, y)
    assert sets.valid.all()
    # three deviations: 300 held-out samples, 600 new ones
    assert sets.sets[np.arange(600), truth].mean() == pytest.approx(0.9, abs=0.065)


def test_sets_as_labels_and_as_a_frame(fitted):
    X, _ = two_views(5, seed=4)
    sets = fitted.predict_set(X, alpha=0.01)
    assert [len(labels) for labels in sets.labels()] == sets.sizes.tolist()
    frame = sets.to_frame("pandas")
    assert frame["set"].tolist() == ["|".join(labels) for labels in sets.labels()]
    assert frame.columns.tolist() == ["id", "set", "set_size", "set_valid"]
    np.testing.assert_array_equal(fitted.predict_set(fitted.predict_full(X), alpha=0.01).sets, sets.sets)


def test_what_stands_in_for_an_absent_modality_changes_no_set(fitted):
    X, _ = two_views(40, seed=5)
    expected = fitted.predict_set({"image": X["image"]}, method="aps").sets
    for filling in (np.full((40, 3), np.nan), [None] * 40):
        np.testing.assert_array_equal(fitted.predict_set(X | {"text": filling}, method="aps").sets, expected)


def test_a_combination_seen_too_rarely_is_not_pretended():
    """The text is there in 40 of the held-out samples: too few, with the image or without."""
    X, y = two_views(300)
    held_out, truth = two_views(200, seed=1)
    held_out["text"][40:] = np.nan
    classifier = QMFClassifier(**SMALL).fit(X, y, validation=(held_out, truth))
    new, _ = two_views(9, seed=2)
    assert classifier.predict_set({"image": new["image"]}).valid.all()
    sets = classifier.predict_set(new)
    assert not sets.valid.any()
    assert sets.sets.all()
    assert set(classifier.predict_full(new, risk=0.2).abstain_reason) <= {"not calibrated", "conflict"}


def test_without_held_out_samples_nothing_is_promised(fitted):
    X, y = two_views(60)
    for options in ({"validation_fraction": 0.0}, {"validation_fraction": 0.1}):
        classifier = QMFClassifier(**SMALL | {"epochs": 2}, **options).fit(X, y)
        assert classifier.calibration_ is None
        assert not (set(classifier.predict_full(X).abstain_reason) - {"", "conflict", "everything atypical"})
        with pytest.raises(ConfigError, match=r"not calibrated: .* at least 50 .* calibrate\(X, y\)"):
            classifier.predict_set(X)
        with pytest.raises(ConfigError, match="not calibrated"):
            classifier.predict_full(X, risk=0.1)


def test_it_can_be_calibrated_afterwards(fitted):
    X, y = two_views(60)
    classifier = QMFClassifier(**SMALL | {"epochs": 2}, validation_fraction=0.0).fit(X, y)
    before = classifier.predict(X)
    assert classifier.calibrate(*two_views(99, seed=7)) is classifier
    assert classifier.calibration_.counts.tolist() == [99, 99, 99]
    assert classifier.predict_set(X).valid.all()
    assert classifier.predict(X).tolist() == before.tolist()
    with pytest.raises(DataError, match="49 samples; calibration takes at least 50"):
        classifier.calibrate(*two_views(49))
    with pytest.raises(DataError, match="'fox', unseen in training"):
        classifier.calibrate(two_views(60)[0], ["fox"] * 60)


def test_a_risk_target_withholds_the_less_certain(fitted):
    X, _ = two_views(600, seed=8, spread=1.3)
    plain, careful = fitted.predict_full(X), fitted.predict_full(X, risk=0.1)
    assert 0 < (~careful.abstain).sum() < (~plain.abstain).sum()
    uncertain = careful.abstain_reason == "too uncertain"
    given = ~careful.abstain
    assert careful.probabilities[uncertain].max(axis=1).max() < careful.probabilities[given].max(axis=1).min()
    np.testing.assert_array_equal(plain.probabilities, careful.probabilities)
    with pytest.raises(ConfigError, match=r"risk=1\.5"):
        fitted.predict_full(X, risk=1.5)


def test_reasons_on_real_digits(digits, digits_test):
    """Dead views are atypical; a view of another digit is in conflict; intact views are answered."""
    X, y = digits_test
    intact = digits.predict_full(X)
    assert intact.abstain.mean() < 0.03
    dead = digits.predict_full({name: np.zeros_like(x) for name, x in X.items()})
    assert (dead.abstain_reason == "everything atypical").mean() > 0.99
    other = np.array([np.flatnonzero(y != label)[7 * i % 300] for i, label in enumerate(y)])
    swapped = digits.predict_full(X | {"profile": X["profile"][other]})
    assert (swapped.abstain_reason == "conflict").mean() > 0.7
    half_dead = digits.predict_full(X | {"profile": np.zeros_like(X["profile"])})
    assert half_dead.abstain.mean() < 0.05
    frame = swapped.to_frame()
    assert frame["abstain"].to_list() == swapped.abstain.tolist()
    assert frame["abstain_reason"].to_list() == swapped.abstain_reason.tolist()


def test_a_sample_without_any_modality_stays_an_error(fitted):
    X, _ = two_views(4)
    for x in X.values():
        x[2] = np.nan
    with pytest.raises(DataError, match="no modality is present"):
        fitted.predict_full(X)


class TestModelFolder:
    @pytest.fixture
    def folder(self, fitted, tmp_path):
        fitted.save(tmp_path / "model")
        return tmp_path / "model"

    def test_everything_comes_back_exactly(self, fitted, folder):
        loaded = QMFClassifier.load(folder)
        assert loaded.calibration_.seed == fitted.calibration_.seed
        for name, values in fitted.calibration_.to_arrays().items():
            np.testing.assert_array_equal(loaded.calibration_.to_arrays()[name], values)
        X, _ = two_views(50, seed=9)
        one, two = (c.predict_full(X, risk=0.1) for c in (fitted, loaded))
        np.testing.assert_array_equal(one.probabilities, two.probabilities)
        assert one.abstain_reason.tolist() == two.abstain_reason.tolist()
        for method in ("lac", "aps"):
            sets = [c.predict_set(X, method=method).sets for c in (fitted, loaded)]
            np.testing.assert_array_equal(*sets)

    def test_a_changed_byte_is_refused(self, folder):
        data = bytearray((folder / "calibration.safetensors").read_bytes())
        data[-5] ^= 1
        (folder / "calibration.safetensors").write_bytes(bytes(data))
        with pytest.raises(DataError, match=r"calibration.safetensors is damaged"):
            QMFClassifier.load(folder)

    def test_a_missing_file_is_refused(self, folder):
        (folder / "calibration.safetensors").unlink()
        with pytest.raises(DataError, match=r"incomplete: calibration.safetensors is missing"):
            QMFClassifier.load(folder)

    def test_a_folder_written_before_there_was_calibration_still_loads(self, fitted, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "older")
        manifest = json.loads((folder / "manifest.json").read_text())
        del manifest["files"]["calibration.safetensors"]
        (tmp_path / "older" / "calibration.safetensors").unlink()
        (tmp_path / "older" / "manifest.json").write_text(json.dumps(manifest))
        loaded = QMFClassifier.load(tmp_path / "older")
        assert loaded.calibration_ is None
        X, _ = two_views(20)
        assert loaded.predict(X).tolist() == fitted.predict(X).tolist()

    def test_a_classifier_that_is_not_calibrated_has_no_such_file(self, tmp_path):
        X, y = two_views(30)
        QMFClassifier(epochs=1, random_state=0).fit(X, y).save(tmp_path / "model")
        assert not (tmp_path / "model" / "calibration.safetensors").exists()
