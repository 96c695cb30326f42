"""From raw samples to vectors: cells by hand, encoders once, everything in the model folder, no network."""

import socket

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from qmf import QMFClassifier
from qmf.corruptions import paper_corrupt, paper_hit
from qmf.data import ModalityColumns, RawModality, from_arrays, raw_from_memory, samples_of_vectors
from qmf.encoders.pictures import ImageReader
from qmf.errors import ConfigError, DataError
from qmf.preparation import (
    Damage,
    ModalitySpec,
    Preparation,
    damaged,
    damaged_copies,
    vectors_as_raw,
    with_copies,
)
from qmf.preparation.cells import CategoricalStep, NumericStep


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QMF_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def table(tmp_path):
    """80 rows: bright or dark pictures, words, numbers; the class is in all of them, and some of each are absent."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(80):
        bright = i % 2
        picture = rng.integers(0, 60, (16, 16, 3)) + 150 * bright
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / f"{i}.png")
        words = ["sunny", "beach", "noon"] if bright else ["night", "moon", "cave"]
        rows.append(
            {
                "label": "day" if bright else "night",
                "img": None if i % 10 == 3 else str(tmp_path / f"{i}.png"),
                "text": "" if i % 10 == 6 else " ".join(rng.choice(words, 3)),
                "lux": None if i % 10 == 8 else float(100 * bright + rng.normal()),
                "hour": float(12 * bright) + rng.normal(),
                "place": "out" if i % 3 else "in",
            }
        )
    return pd.DataFrame(rows)


MODALITIES = {
    "image": {"type": "image", "columns": "img", "encoder": "small-cnn", "options": {"size": 16}},
    "text": {"type": "text", "encoder": "hashed-words", "options": {"out_features": 64}},
    "sensors": {"type": "numeric", "columns": ["lux", "hour"]},
    "place": {"type": "categorical", "columns": "place"},
}


def classifier(**options):
    return QMFClassifier(modalities=MODALITIES, epochs=15, random_state=0, **options)


def test_numbers_with_gaps_by_hand():
    raw = RawModality("numeric", np.array([[1.0, 5.0], [3.0, np.nan], [np.nan, np.nan]]), ("a", "b"))
    step = NumericStep.fit([NumericStep.summary(raw)], raw.columns)
    assert step.mean == (2.0, 5.0)
    assert step.gaps == (False, True)
    np.testing.assert_array_equal(step(raw), [[-1, 0, 0], [1, 0, 1], [np.nan] * 3])
    with pytest.raises(DataError, match="column 'a' is empty, which it never was in training"):
        step(RawModality("numeric", np.array([[np.nan, 5.0]]), ("a", "b")))


def test_categories_by_hand():
    cells = np.array([["x", "u"], ["y", None], [None, None]], dtype=object)
    raw = RawModality("categorical", cells, ("a", "b"))
    step = CategoricalStep.fit([CategoricalStep.summary(raw)], raw.columns)
    assert step.categories == (("x", "y"), ("u", None))
    np.testing.assert_array_equal(step(RawModality("categorical", cells)), [[1, 0, 1, 0], [0, 1, 0, 1], [np.nan] * 4])
    with pytest.warns(UserWarning, match="column 'a': z not seen in training"):
        seen = step(RawModality("categorical", np.array([["z", "u"]], dtype=object)))
    np.testing.assert_array_equal(seen, [[0, 0, 1, 0]])


def test_a_frame_of_files_texts_and_cells_is_learnt_saved_and_predicted_without_a_network(table, tmp_path, monkeypatch):
    fitted = classifier().fit(table, table["label"])
    assert fitted.modalities_ == ("image", "text", "sensors", "place")
    prediction = fitted.predict_full(table)
    assert (prediction.labels == table["label"]).mean() > 0.95
    assert prediction.present[3].tolist() == [False, True, True, True]
    assert prediction.present[6].tolist() == [True, False, True, True]
    assert (prediction.weights[~prediction.present] == 0).all()
    fitted.save(tmp_path / "model")

    def blocked(*_args, **_kwargs):
        raise AssertionError("a saved model asked for the network")

    monkeypatch.setattr(socket, "socket", blocked)
    monkeypatch.setattr(socket, "create_connection", blocked)
    loaded = QMFClassifier.load(tmp_path / "model").predict_full(table)
    np.testing.assert_allclose(loaded.probabilities, prediction.probabilities, atol=1e-12)


def test_text_alone_image_alone_and_mixed_in_one_batch(table):
    fitted = classifier().fit(table, table["label"])
    whole = fitted.predict_full({"image": table["img"].tolist(), "text": table["text"].tolist()})
    image = fitted.predict_full({"image": table["img"].tolist()[:3]})
    text = fitted.predict_full({"text": table["text"].tolist()[:3]})
    assert (image.weights[:, [1, 2, 3]] == 0).all()
    assert (text.weights[:, [0, 2, 3]] == 0).all()
    mixed = fitted.predict_full(
        {"image": [table["img"][0], None, table["img"][2]], "text": [None, table["text"][1], table["text"][2]]}
    )
    np.testing.assert_allclose(mixed.probabilities[0], image.probabilities[0], atol=1e-9)
    np.testing.assert_allclose(mixed.probabilities[1], text.probabilities[1], atol=1e-9)
    np.testing.assert_allclose(mixed.probabilities[2], whole.probabilities[2], atol=1e-9)


def test_workers_and_batches_change_nothing(table):
    fitted = classifier().fit(table, table["label"])
    expected = fitted.predict_full(table).probabilities
    for workers in (2, 4):
        fitted.workers = workers
        np.testing.assert_allclose(fitted.predict_full(table).probabilities, expected, atol=1e-6)
    fitted.workers = 0
    one_by_one = [fitted.predict_full(table.iloc[i : i + 1]).probabilities for i in range(5)]
    np.testing.assert_allclose(np.concatenate(one_by_one), expected[:5], atol=1e-6)


def test_what_cannot_be_read_is_listed_or_absent(table, tmp_path):
    (tmp_path / "5.png").write_bytes(b"")
    (tmp_path / "7.png").write_text("no picture")
    with pytest.raises(DataError, match="2 values cannot be read") as error:
        classifier().fit(table, table["label"])
    assert "row 5, modality 'image'" in str(error.value)
    assert "row 7, modality 'image'" in str(error.value)
    fitted = classifier(on_error="absent").fit(table, table["label"])
    assert [(problem.row, problem.modality) for problem in fitted.problems_] == [(5, "image"), (7, "image")]
    with pytest.warns(UserWarning, match="2 values cannot be read and count as absent"):
        assert not fitted.predict_full(table).present[[5, 7], 0].any()


def test_an_encoder_that_is_not_there_and_a_type_that_is_none(table):
    with pytest.raises(ConfigError, match="expected a type of image, depth"):
        QMFClassifier(modalities={"img": "picture"}).fit(table, table["label"])
    with pytest.raises(ConfigError, match="a modality of type numeric has no encoder to choose"):
        QMFClassifier(modalities={"lux": {"type": "numeric", "encoder": "x"}}).fit(table, table["label"])
    with pytest.raises(ConfigError, match="no_such_module"):
        QMFClassifier(modalities={"img": {"type": "image", "encoder": "no_such_module:X"}}).fit(table, table["label"])


def test_damage_is_a_function_of_seed_sample_and_modality(table):
    places = {"image": ModalityColumns(("img",), type="image"), "text": ModalityColumns(("text",), type="text")}
    raw = raw_from_memory(table, table["label"], places)
    specs = {name: ModalitySpec.parse(name, MODALITIES[name]) for name in places}
    damages = {"image": Damage("gaussian_noise", 4), "text": Damage("blank_words", 3, rate=0.5)}
    prepare = Preparation.fit(raw, specs)
    whole, _ = prepare(damaged(raw, damages, seed=1))
    some = [44, 3, 10]
    part, _ = prepare(damaged(raw.take(some), damages, seed=1), workers=2)
    clean, _ = prepare(raw)
    for name in places:
        np.testing.assert_allclose(part.features[name], whole.features[name][some], atol=1e-6)
        assert not np.allclose(clean.features[name], whole.features[name])
    np.testing.assert_array_equal(part.present, clean.present[some])


def test_absent_and_swapped_and_what_does_not_fit(table):
    raw = raw_from_memory(table, table["label"], {"text": ModalityColumns((), type="text")})
    gone = damaged(raw, {"text": Damage("absent")}, seed=0)
    assert not gone.modalities["text"].present.any()
    conflict = damaged(raw, {"text": Damage("conflict")}, seed=0).modalities["text"].values
    own = {"day": {"sunny", "beach", "noon"}, "night": {"night", "moon", "cave"}}
    for label, text in zip(table["label"], conflict, strict=True):
        assert text is None or not set(text.split()) & own[label]
    with pytest.raises(ConfigError, match="does not fit kind 'text'"):
        damaged(raw, {"text": Damage("fog")}, seed=0)
    with pytest.raises(ConfigError, match="no corruption 'fogg'"):
        Damage("fogg")
    with pytest.raises(ConfigError, match="no modality 'image'; there are text"):
        damaged(raw, {"image": Damage("fog")}, seed=0)


def test_the_papers_noise_hits_half_and_leaves_the_rest_to_the_cache(table):
    places = {"image": ModalityColumns(("img",), type="image"), "text": ModalityColumns(("text",), type="text")}
    raw = raw_from_memory(table, table["label"], places)
    noisy = damaged(
        raw, {"image": Damage.parse("paper_gaussian:5"), "text": Damage.parse("paper_blank_words:10")}, seed=0
    )
    for name in places:
        before, after = raw.modalities[name].values, noisy.modalities[name].values
        changed = [a is not b and a != b for a, b in zip(before, after, strict=True)]
        assert changed == [paper_hit(0, key, name) and v is not None for key, v in zip(raw.ids, before, strict=True)]
    hit = [i for i, v in enumerate(noisy.modalities["image"].values) if hasattr(v, "apply")]
    clean = np.asarray(Image.open(raw.modalities["image"].values[hit[0]]))
    expected = paper_corrupt(clean, "gaussian_noise", 5, seed=0, sample_id=str(hit[0]), modality="image")
    np.testing.assert_array_equal(ImageReader(16)(noisy.modalities["image"].values[hit[0]]), expected)
    with pytest.raises(ConfigError, match="epsilon=11"):
        Damage.parse("paper_gaussian:11")
    with pytest.raises(ConfigError, match="is for pictures"):
        damaged(raw, {"text": Damage("paper_gaussian", 5)}, seed=0)


def test_augmentation_adds_damaged_copies_of_what_is_trained_on_alone(table):
    options = {"augmentation": [{"image": "gaussian_noise:5"}, {"text": "absent", "sensors": "feature_gaussian:3"}]}
    with pytest.raises(ConfigError, match="categories and gaps can be absent only"):
        classifier(**options).fit(table, table["label"])
    options["augmentation"][1].pop("sensors")
    table = table[table["img"].notna() | table["text"].ne("")]
    fitted = classifier(**options, validation_fraction=0.25).fit(table, table["label"])
    own = {key for key in fitted.train_ids_ if "#" not in key}
    assert set(fitted.train_ids_) == own | {f"{key}#{n}" for key in own for n in (1, 2)}
    assert len(own) == pytest.approx(0.75 * len(table), abs=2)
    with pytest.raises(ConfigError, match=r"augmentation\[0\] is 'gaussian_noise'"):
        classifier(augmentation=["gaussian_noise"]).fit(table, table["label"])


def test_augmentation_of_vectors_by_hand():
    rng = np.random.default_rng(0)
    X = {"a": rng.normal(size=(40, 3)), "b": rng.normal(size=(40, 2))}
    X["b"][5] = np.nan
    y = np.arange(40) % 2
    fitted = QMFClassifier(augmentation=[{"a": "zeroed"}], epochs=1, validation_fraction=0, random_state=0).fit(X, y)
    assert len(fitted.train_ids_) == 80
    samples = from_arrays(X, y)
    raw = vectors_as_raw(samples)
    both = with_copies(samples, damaged_copies(raw, [{"a": "zeroed"}], seed=0), samples_of_vectors)
    assert (both.features["a"][40:] == 0).all()
    np.testing.assert_array_equal(both.features["b"][40:], samples.features["b"])
    np.testing.assert_array_equal(both.present[40:], samples.present)
    np.testing.assert_array_equal(both.labels, np.tile(y, 2))


def test_what_is_tuned_changes_and_what_is_frozen_does_not(table):
    fitted = classifier().fit(table, table["label"])
    names = dict(fitted.model_.named_parameters())
    assert any(".backbone." in name for name in names)
    fresh = fitted.preparation_.backbones()["image"]
    trained = dict(fitted.model_.encoders[0].backbone.named_parameters())
    assert any(not np.allclose(p.detach(), trained[name].detach()) for name, p in fresh.named_parameters())
