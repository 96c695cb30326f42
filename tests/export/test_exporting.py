"""What is exported answers as the classifier does, and is not written where it does not."""

import json
import sys
import zipfile

import numpy as np
import pytest
import torch

from qmf import QMFClassifier
from qmf.calibration import patterns_to_calibrate
from qmf.data import from_arrays
from qmf.errors import ConfigError, DataError, MissingDependencyError, ModelFolderError, RunError
from qmf.export.checking import _difference
from qmf.export.exporting import export
from qmf.export.onnx_classifier import OnnxClassifier

WIDTHS = {"image": 5, "text": 4, "depth": 3}


def data(n, seed=0):
    rng = np.random.default_rng(seed)
    y = np.array(["cat", "dog", "emu"])[rng.integers(0, 3, n)]
    shift = {"cat": 0.0, "dog": 1.5, "emu": -1.5}
    x = {name: rng.normal([[shift[label]] for label in y], 1.0, (n, d)) for name, d in WIDTHS.items()}
    return x, y


@pytest.fixture(scope="module")
def classifier():
    return QMFClassifier(epochs=5, hidden=8, validation_fraction=0.3, random_state=0).fit(*data(300))


@pytest.fixture(scope="module")
def samples(classifier):
    x, y = data(120, seed=1)
    x["text"][::9] = np.nan
    return classifier.prepare(from_arrays(x, y))


@pytest.fixture(scope="module")
def exported(classifier, samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    done = export(classifier, path, samples)
    assert done.checked.patterns == 7
    assert done.checked.difference < 1e-4
    return path


def assert_same(given, wanted):
    assert given.labels.tolist() == wanted.labels.tolist()
    assert given.abstain_reason.tolist() == wanted.abstain_reason.tolist()
    for name in ("probabilities", "weights", "uncertainty", "unimodal_probabilities"):
        np.testing.assert_allclose(getattr(given, name), getattr(wanted, name), atol=1e-4, err_msg=name)


def test_onnx_answers_as_the_classifier_whatever_is_absent(classifier, samples, exported):
    loaded = OnnxClassifier(exported)
    for kept in patterns_to_calibrate(samples.present):
        rows = samples.take(np.flatnonzero((samples.present & kept).any(axis=1)))
        part = rows.without(*(name for name, there in zip(WIDTHS, kept, strict=True) if not there))
        assert_same(loaded.predict_full(part), classifier.predict_full(part))
    sets, wanted = loaded.predict_set(samples, alpha=0.2), classifier.predict_set(samples, alpha=0.2)
    assert (sets.sets == wanted.sets).all()


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_a_batch_of_any_size_gives_the_same(exported, size):
    loaded, (x, _) = OnnxClassifier(exported), data(size, seed=2)
    whole = loaded.predict_proba(x)
    first = loaded.predict_proba({name: v[:1] for name, v in x.items()})
    np.testing.assert_allclose(whole[:1], first, atol=1e-6)
    assert whole.shape == (size, 3)


def test_what_stands_where_a_modality_is_absent_changes_nothing(exported):
    session = OnnxClassifier(exported).model_
    x, _ = data(4)
    feeds = {name: v.astype(np.float32) for name, v in x.items()} | {"present": np.ones((4, 3), dtype=bool)}
    feeds["present"][2, 1] = False
    wanted = session.run(["probabilities", "weights"], feeds)
    feeds["text"][2] = np.nan
    for given, value in zip(session.run(["probabilities", "weights"], feeds), wanted, strict=True):
        np.testing.assert_array_equal(given, value)
    assert wanted[1][2, 1] == 0


def test_it_can_be_calibrated_anew_where_it_is_used(exported):
    loaded, (x, y) = OnnxClassifier(exported), data(200, seed=5)
    before = loaded.predict(x)
    loaded.calibrate(x, y)
    assert loaded.calibration_.lac.shape[1] == 200
    assert (loaded.predict(x) == before).all()


@pytest.fixture(scope="module")
def archive(classifier, samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.pt2"
    export(classifier, path, samples)
    return path


def test_pt2_computes_the_same(classifier, samples, archive):
    files = {"qmf.json": ""}
    module = torch.export.load(archive, extra_files=files).module()
    inputs = tuple(torch.from_numpy(v[:9]).float() for v in samples.features.values())
    probabilities = module(inputs, torch.from_numpy(samples.present[:9]))[1]
    np.testing.assert_allclose(probabilities, classifier.predict_proba(samples)[:9], atol=1e-4)
    assert json.loads(files["qmf.json"])["widths"] == WIDTHS


def test_files_hold_no_samples_and_no_paths(exported, archive):
    (inputs, _), _ = torch.export.load(archive).example_inputs
    assert not any(x.any() for x in inputs)
    with zipfile.ZipFile(archive) as parts:
        texts = [parts.read(name) for name in parts.namelist()]
    assert not any(b"qmf/fusion.py" in text for text in (*texts, exported.read_bytes()))


def test_a_modality_may_be_called_as_an_output(tmp_path):
    x, y = data(60)
    x = {"weights": x["image"], "present": x["text"]}
    classifier = QMFClassifier(preset="paper", epochs=2, hidden=8, random_state=0).fit(x, y)
    samples = classifier.prepare(from_arrays(x, y))
    export(classifier, tmp_path / "model.onnx", samples)
    loaded = OnnxClassifier(tmp_path / "model.onnx")
    assert [node.name for node in loaded.model_.get_inputs()] == ["input_weights", "input_present", "present"]
    assert_same(loaded.predict_full(x), classifier.predict_full(x))


@pytest.mark.parametrize(
    ("given", "wanted", "difference"),
    [
        ([1.0, 10.0], [1.5, 20.0], 0.5),
        ([np.nan, np.inf], [np.nan, np.inf], 0.0),
        ([np.nan], [1.0], np.inf),
        ([1.0], [np.nan], np.inf),
        ([1.0], [np.inf], np.inf),
        ([np.inf], [-np.inf], np.inf),
    ],
)
def test_differences_are_relative_above_one_and_infinite_where_only_one_is_finite(given, wanted, difference):
    assert _difference(np.array(given), np.array(wanted)) == difference


def test_a_package_that_is_missing_is_named(classifier, samples, exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingDependencyError, match=r"takes the package onnxscript: pip install 'qmf\[onnx\]'"):
        export(classifier, tmp_path / "model.onnx", samples)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"takes onnxruntime: pip install 'qmf\[onnx\]'"):
        OnnxClassifier(exported)


def test_a_graph_that_differs_is_refused_and_not_written(samples, tmp_path):
    classifier = QMFClassifier(epochs=2, hidden=8, validation_fraction=0, random_state=0).fit(*data(100))
    with torch.no_grad():
        classifier.model_.heads.bias[0, 0] += 0.01  # not in the copy that predicts
    with pytest.raises(RunError, match=r"not the classifier: output .logits. differs by .* \(at most 0.0001 allowed\)"):
        export(classifier, tmp_path / "model.pt2", samples)
    assert not list(tmp_path.iterdir())


def test_int8_says_what_it_costs_and_needs_labels(classifier, samples, tmp_path):
    done = export(classifier, tmp_path / "model.onnx", samples, int8=True)
    assert done.accuracy == pytest.approx(np.mean(classifier.predict(samples) == samples.labels))
    loaded = OnnxClassifier(tmp_path / "model.onnx")
    assert done.int8_accuracy == pytest.approx(np.mean(loaded.predict(samples) == samples.labels))
    with pytest.raises(DataError, match="no labels; what INT8 costs"):
        export(classifier, tmp_path / "second.onnx", classifier.prepare(data(20)[0]), int8=True)
    assert not (tmp_path / "second.onnx").exists()


def test_other_endings_and_other_files_are_errors(classifier, samples, exported, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a name ending in \.onnx or \.pt2"):
        export(classifier, tmp_path / "model.bin", samples)
    with pytest.raises(ConfigError, match=r"INT8 is for \.onnx"):
        export(classifier, tmp_path / "model.pt2", samples, int8=True)
    with pytest.raises(ModelFolderError, match="does not exist"):
        OnnxClassifier(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(exported.read_bytes()[:1000])
    with pytest.raises(ModelFolderError, match="can not be read as an ONNX file"):
        OnnxClassifier(tmp_path / "model.onnx")
