import json
import warnings
from hashlib import sha256

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from qmf import ConfigError, DataError, QMFClassifier
from qmf.errors import ModelFolderError
from qmf.loaded import LoadedClassifier
from qmf.model_folder import FORMAT_VERSION


def two_views(n=120, seed=0):
    rng = np.random.default_rng(seed)
    y = np.array(["cat", "dog", "emu"])[np.arange(n) % 3]
    center = (np.arange(n) % 3)[:, None]
    X = {"image": rng.normal(center, 0.3, (n, 4)), "text": rng.normal(center, 0.8, (n, 3))}
    return X, y


@pytest.fixture(scope="module")
def fitted():
    X, y = two_views()
    return QMFClassifier(epochs=25, learning_rate=0.01, random_state=0).fit(X, y)


@parametrize_with_checks([QMFClassifier(epochs=30, learning_rate=0.01, batch_size=16, random_state=0)])
def test_scikit_learn_agrees_that_it_is_an_estimator(estimator, check):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no class has enough samples to hold out")
        check(estimator)


def test_learns_and_predicts_string_labels(fitted):
    X, y = two_views(seed=1)
    assert fitted.score(X, y) > 0.9
    assert fitted.classes_.tolist() == ["cat", "dog", "emu"]
    assert set(fitted.predict(X)) <= {"cat", "dog", "emu"}
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1.0)


def test_prediction_says_how_far_each_modality_was_trusted(fitted):
    X, _ = two_views(6, seed=1)
    X["text"][2] = np.nan
    full = fitted.predict_full(X)
    assert full.modalities == ("image", "text")
    assert full.weights[2, 1] == 0.0
    assert not full.present[2, 1]
    assert np.isnan(full.uncertainty[2, 1])
    assert np.isnan(full.unimodal_probabilities[2, 1]).all()
    assert (full.weights[:, 0] != 0).all()
    frame = full.to_frame("pandas")
    assert frame["label_text"].isna().tolist() == [False, False, True, False, False, False]


def test_what_stands_in_for_an_absent_modality_does_not_matter(fitted):
    X, _ = two_views(5, seed=2)
    by_nan = X | {"text": np.full((5, 3), np.nan)}
    by_none = {"image": X["image"], "text": [None] * 5}
    by_leaving_out = {"image": X["image"]}
    expected = fitted.predict_proba(by_leaving_out)
    np.testing.assert_array_equal(fitted.predict_proba(by_nan), expected)
    np.testing.assert_array_equal(fitted.predict_proba(by_none), expected)


def test_all_forms_of_X_give_the_same_model():
    X, y = two_views(60)
    matrix = np.hstack([X["image"], X["text"]])
    names = [f"i{j}" for j in range(4)] + [f"t{j}" for j in range(3)]
    views = {"image": "i*", "text": ["t0", "t1", "t2"]}
    forms = {
        "mapping": (None, X),
        "array": ({"image": slice(0, 4), "text": [4, 5, 6]}, matrix),
        "pandas": (views, pd.DataFrame(matrix, columns=names)),
        "polars": (views, pl.DataFrame(matrix, schema=names)),
    }
    results = {
        form: QMFClassifier(views=view, epochs=3, random_state=1).fit(data, y).predict_proba(data)
        for form, (view, data) in forms.items()
    }
    for result in results.values():
        np.testing.assert_array_equal(result, results["mapping"])


def test_batch_size_at_prediction_changes_nothing(fitted):
    X, _ = two_views(50, seed=3)
    whole = fitted.predict_full(X)
    for size in (1, 7):
        for start in range(0, 50, size):
            part = fitted.predict_full({name: x[start : start + size] for name, x in X.items()})
            rows = slice(start, start + size)
            assert part.labels.tolist() == whole.labels[rows].tolist()
            np.testing.assert_allclose(part.probabilities, whole.probabilities[rows], atol=1e-12)
            np.testing.assert_array_equal(part.weights, whole.weights[rows])


def test_same_seed_same_model_other_seed_other_model():
    X, y = two_views(60)
    fit = lambda seed: QMFClassifier(epochs=3, random_state=seed).fit(X, y).predict_proba(X)  # noqa: E731
    np.testing.assert_array_equal(fit(3), fit(3))
    assert not np.array_equal(fit(3), fit(4))


def test_fitting_leaves_the_global_generators_alone():
    X, y = two_views(60)
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    QMFClassifier(epochs=2, random_state=3).fit(X, y)
    assert np.random.random() == expected  # noqa: NPY002


def test_works_in_cross_validation_and_clones():
    X, y = two_views(90)
    matrix = np.hstack([X["image"], X["text"]])
    classifier = QMFClassifier(
        views={"image": slice(0, 4), "text": slice(4, 7)}, epochs=15, learning_rate=0.01, random_state=0
    )
    assert cross_val_score(clone(classifier), matrix, y, cv=3).mean() > 0.8


def test_hardest_samples_find_the_wrong_label():
    X, y = two_views(90)
    y = y.copy()
    y[7] = "dog" if y[7] != "dog" else "cat"
    classifier = QMFClassifier(epochs=30, learning_rate=0.01, validation_fraction=0.0, random_state=0).fit(X, y)
    assert "7" in [sample for sample, _ in classifier.hardest_samples("image", 3)]


@pytest.mark.parametrize(
    "uncertainty", ["max-probability", "entropy", "margin", "evidential", "true-class-probability"]
)
def test_every_uncertainty_can_be_trained_on_the_simplex(uncertainty):
    X, y = two_views(90)
    classifier = QMFClassifier(
        uncertainty=uncertainty, weighting="simplex", epochs=15, learning_rate=0.01, random_state=0
    ).fit(X, y)
    full = classifier.predict_full(X)
    np.testing.assert_allclose(full.weights.sum(axis=1), 1.0, atol=1e-6)
    assert classifier.score(X, y) > 0.85


def test_validation_data_of_ones_own():
    X, y = two_views(90)
    classifier = QMFClassifier(epochs=5, random_state=0).fit(X, y, validation=two_views(30, seed=4))
    assert len(classifier.train_ids_) == 90
    assert "validation/accuracy" in classifier.training_rows_[0]


def test_saved_and_loaded_predicts_the_same(fitted, tmp_path):
    X, _ = two_views(seed=1)
    fitted.save(tmp_path / "model")
    loaded = QMFClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.get_params() == fitted.get_params()
    assert loaded.classes_.tolist() == fitted.classes_.tolist()


@pytest.mark.parametrize("labels", [[0, 5], [True, False], ["a", "b"]])
def test_labels_keep_their_type_through_a_folder(labels, tmp_path):
    X = {"a": np.random.default_rng(0).normal(size=(20, 2))}
    y = np.array(labels * 10)
    QMFClassifier(epochs=1, random_state=0, class_weight="balanced").fit(X, y).save(tmp_path / "m")
    assert QMFClassifier.load(tmp_path / "m").predict(X).dtype.kind == y.dtype.kind


def test_class_weights_by_label_survive_a_folder(tmp_path):
    X = {"a": np.random.default_rng(0).normal(size=(20, 2))}
    classifier = QMFClassifier(epochs=1, random_state=0, class_weight={3: 1.0, 7: 2.5})
    classifier.fit(X, np.array([3, 7] * 10)).save(tmp_path / "m")
    assert QMFClassifier.load(tmp_path / "m").class_weight == {3: 1.0, 7: 2.5}


def test_errors_name_what_is_wrong():
    X, y = two_views(30)
    with pytest.raises(DataError, match="only one class, 'cat'"):
        QMFClassifier().fit(X, ["cat"] * 30)
    with pytest.raises(ConfigError, match=r"epochs=0: expected an integer of 1 or more"):
        QMFClassifier(epochs=0).fit(X, y)
    with pytest.raises(ConfigError, match=r"preset='papre' does not exist; expected one of robust, paper"):
        QMFClassifier(preset="papre").fit(X, y)
    classifier = QMFClassifier(epochs=1, random_state=0, preset="static").fit(X, y)
    with pytest.raises(DataError, match="modality 'sound' was not in training"):
        classifier.predict({"sound": np.zeros((1, 2))})
    with pytest.raises(DataError, match=r"X has 2 features in modality 'text', but QMFClassifier is expecting 3"):
        classifier.predict({"text": np.zeros((1, 2))})
    with pytest.raises(ConfigError, match="no history was kept"):
        classifier.hardest_samples("text")
    with pytest.raises(DataError, match="'fox', unseen in training"):
        classifier.fit(X, y, validation=({"image": X["image"][:1]}, ["fox"]))


def test_warns_when_there_is_nothing_to_hold_out():
    X = {"a": np.arange(6.0)[:, None]}
    with pytest.warns(UserWarning, match="no class has enough samples to hold out"):
        QMFClassifier(epochs=1, random_state=0).fit(X, [0, 1, 0, 1, 0, 1])


class TestModelFolder:
    @pytest.fixture
    def folder(self, fitted, tmp_path):
        fitted.save(tmp_path / "model")
        return tmp_path / "model"

    def test_holds_exactly_these_files(self, folder):
        names = {"config.json", "model.safetensors", "preprocess.json", "labels.json", "manifest.json"}
        assert {path.name for path in folder.iterdir()} == names

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocess.json", "labels.json"])
    def test_a_changed_byte_is_refused(self, folder, name):
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(bytes(data))
        with pytest.raises(DataError, match=f"{name} is damaged"):
            QMFClassifier.load(folder)

    def test_a_truncated_file_is_refused(self, folder):
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[:100])
        with pytest.raises(DataError, match=r"model.safetensors is damaged"):
            QMFClassifier.load(folder)

    def test_a_missing_file_is_refused(self, folder):
        (folder / "labels.json").unlink()
        with pytest.raises(DataError, match=r"incomplete: labels.json is missing"):
            QMFClassifier.load(folder)

    def test_a_newer_folder_is_refused(self, folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["format_version"] += 1
        (folder / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(DataError, match="upgrade qmf"):
            QMFClassifier.load(folder)

    def test_a_robust_model_of_the_first_format_is_refused_with_its_reason(self, folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        weights = load_file(folder / "model.safetensors")
        older = {name: value for name, value in weights.items() if ".scores." not in name}
        save_file(older | {"uncertainty.typicality.0.knots": torch.zeros(3, 4)}, folder / "model.safetensors")
        manifest["files"]["model.safetensors"] = sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        for version, reason in ((1, "written by an earlier qmf"), (FORMAT_VERSION, "does not fit together")):
            (folder / "manifest.json").write_text(json.dumps(manifest | {"format_version": version}))
            for load in (QMFClassifier.load, LoadedClassifier):
                with pytest.raises(ModelFolderError, match=reason):
                    load(folder)

    def test_a_model_of_another_preset_of_the_first_format_is_read(self, tmp_path):
        X, y = two_views()
        model = QMFClassifier(preset="paper", epochs=1, random_state=0).fit(X, y)
        model.save(tmp_path / "paper")
        manifest = json.loads((tmp_path / "paper" / "manifest.json").read_text())
        (tmp_path / "paper" / "manifest.json").write_text(json.dumps(manifest | {"format_version": 1}))
        for load in (QMFClassifier.load, LoadedClassifier):
            np.testing.assert_array_equal(load(tmp_path / "paper").predict_proba(X), model.predict_proba(X))

    def test_a_foreign_folder_is_refused(self, tmp_path):
        with pytest.raises(DataError, match="is not a folder"):
            QMFClassifier.load(tmp_path / "nothing")
        with pytest.raises(DataError, match=r"has no manifest.json"):
            QMFClassifier.load(tmp_path)
        (tmp_path / "manifest.json").write_text('{"name": "a web app"}')
        with pytest.raises(DataError, match="another program's folder"):
            QMFClassifier.load(tmp_path)
        (tmp_path / "manifest.json").write_text('{"name": ')
        with pytest.raises(DataError, match="can not be read"):
            QMFClassifier.load(tmp_path)

    def test_nothing_is_overwritten_unasked(self, fitted, folder, tmp_path):
        with pytest.raises(ConfigError, match="holds a model already"):
            fitted.save(folder)
        fitted.save(folder, overwrite=True)
        assert QMFClassifier.load(folder).score(*two_views(30)) > 0.9
        other = tmp_path / "photos"
        other.mkdir()
        (other / "holiday.jpg").write_text("dear")
        with pytest.raises(ConfigError, match="is not a model folder"):
            fitted.save(other, overwrite=True)
        assert (other / "holiday.jpg").read_text() == "dear"
        assert {path.name for path in tmp_path.iterdir()} == {"model", "photos"}
