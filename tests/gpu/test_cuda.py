"""The same on an accelerator: training with mixed precision, the history, a mask that changes nothing."""

import pytest
import torch

from qmf import QMFClassifier
from qmf.datasets import load_handwritten
from qmf.encoders import MLPEncoder
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
