import json
import random

import numpy as np
import pytest
import torch
from torch import nn

from qmf.encoders import MLPEncoder
from qmf.errors import ConfigError, DataError, RunError
from qmf.fusion import QualityAwareFusion
from qmf.objective import QMFObjective
from qmf.training import TensorBatches, TrainingSettings, train
from qmf.training.random_state import get_random_state, seeded, set_random_state

N = 50


def dataset(n=N, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = {"a": torch.randn(n, 4, generator=generator), "b": torch.randn(n, 3, generator=generator)}
    return TensorBatches(inputs, torch.ones(n, 2, dtype=torch.bool), (inputs["a"][:, 0] > 0).long())


def parts(*, dropout=0.0, ranking_weight=0.1):
    torch.manual_seed(0)
    model = QualityAwareFusion({"a": MLPEncoder(4, 8, dropout), "b": MLPEncoder(3, 8, dropout)}, 2)
    return model, QMFObjective(N, 2, ranking_weight=ranking_weight)


def run(settings, *, validation=None, **options):
    model, objective = parts(**options)
    return model, objective, train(model, objective, dataset(), validation, settings)


def same_weights(a, b, **tolerance):
    for name, value in a.state_dict().items():
        torch.testing.assert_close(value, b.state_dict()[name], **tolerance)


def test_one_plain_step_is_gradient_descent_on_the_objective():
    settings = TrainingSettings(
        epochs=1, batch_size=N, optimizer="sgd", learning_rate=0.1, weight_decay=0.0, schedule="constant"
    )
    trained, _, _ = run(settings)
    model, objective = parts()
    data = dataset()
    objective(model(data.inputs), data.target, torch.arange(N)).loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad
    same_weights(model, trained, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("accumulate", [2, 3, 100])
def test_accumulated_batches_are_one_large_batch_and_the_last_window_counts(accumulate):
    common = {"epochs": 2, "optimizer": "sgd", "schedule": "constant", "seed": 1}
    small = TrainingSettings(batch_size=8, accumulate=accumulate, **common)  # 50 = 6 * 8 + 2: the last one is short
    large = TrainingSettings(batch_size=8 * accumulate, **common)
    same_weights(run(small, ranking_weight=0.0)[0], run(large, ranking_weight=0.0)[0], rtol=1e-4, atol=1e-6)


def test_history_holds_every_sample_once_per_epoch():
    _, objective, _ = run(TrainingSettings(epochs=3, batch_size=8))
    assert objective.history.count.tolist() == [[3, 3]] * N
    assert int(objective.history.epoch) == 3


def test_clipping_bounds_the_step():
    common = {"epochs": 1, "batch_size": N, "optimizer": "sgd", "learning_rate": 1.0, "weight_decay": 0.0}
    start, _ = parts()
    clipped, _, _ = run(TrainingSettings(clip_norm=1e-3, schedule="constant", **common))
    moved = sum(
        ((p.detach() - q.detach()) ** 2).sum() for p, q in zip(start.parameters(), clipped.parameters(), strict=True)
    ).sqrt()
    assert float(moved) == pytest.approx(1e-3, rel=1e-3)


def test_best_epoch_on_validation_is_what_remains():
    validation = dataset(40, seed=1)
    settings = TrainingSettings(epochs=40, batch_size=8, learning_rate=0.05, patience=4, schedule="constant")
    model, _, result = run(settings, validation=validation)
    scores = [row["validation/objective"] for row in result.rows]
    assert result.best_epoch == int(np.argmin(scores))
    assert result.stopped_early == (len(scores) < 40)
    assert len(scores) - 1 - result.best_epoch <= 4
    with torch.no_grad():
        out = model.eval()(validation.inputs)
        loss = nn.functional.cross_entropy(out.logits, validation.target)
        loss += sum(nn.functional.cross_entropy(out.unimodal_logits[:, m], validation.target) for m in range(2))
    assert float(loss) == pytest.approx(min(scores), rel=1e-4)


def test_without_validation_the_last_epoch_remains():
    _, _, result = run(TrainingSettings(epochs=3))
    assert (result.best_epoch, result.stopped_early) == (2, False)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "plateau"])
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_every_schedule_and_optimiser_learns(schedule, optimizer):
    rate = 0.05 if optimizer == "sgd" else 0.01
    settings = TrainingSettings(epochs=15, batch_size=10, schedule=schedule, optimizer=optimizer, learning_rate=rate)
    _, _, result = run(settings)
    assert result.rows[-1]["loss"] < result.rows[0]["loss"]


def test_learning_rate_warms_up_and_falls_to_zero():
    settings = TrainingSettings(
        epochs=10, batch_size=N, learning_rate=1.0, warmup_epochs=3, schedule="linear", optimizer="sgd", clip_norm=1e-6
    )
    rates = [row["learning_rate"] for row in run(settings)[2].rows]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(1.0)
    assert rates[2] > rates[5] > rates[8]
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)


def test_bfloat16_is_close_to_float32():
    settings = {"epochs": 5, "batch_size": 10}
    full = run(TrainingSettings(**settings))[2].rows[-1]["loss"]
    half = run(TrainingSettings(**settings, precision="bf16"))[2].rows[-1]["loss"]
    assert half == pytest.approx(full, rel=0.05)
    assert run(TrainingSettings(**settings))[2].rows[-1]["loss"] == full


def test_a_loss_that_explodes_is_an_error_that_says_what_to_do():
    settings = TrainingSettings(epochs=20, batch_size=5, optimizer="sgd", learning_rate=1e18)
    with pytest.raises(RunError, match=r"NaN or infinite in epoch \d+: lower learning_rate"):
        run(settings)


def test_files_of_a_run(tmp_path):
    model, objective = parts()
    train(model, objective, dataset(), dataset(20, 1), TrainingSettings(epochs=2), folder=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1]
    assert {"loss", "fused", "unimodal/a", "ranking/b", "validation/accuracy", "learning_rate"} <= rows[0].keys()
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents*"))
    assert (tmp_path / "checkpoint.safetensors").exists()


def test_a_checkpoint_is_resumed_on_the_same_run_only(tmp_path):
    train(*parts(), dataset(), None, TrainingSettings(epochs=2), folder=tmp_path)
    with pytest.raises(ConfigError, match="other settings or other data"):
        train(*parts(), dataset(), None, TrainingSettings(epochs=3), folder=tmp_path, resume=True)
    with pytest.raises(ConfigError, match="other settings or other data"):
        train(*parts(), dataset(seed=9), None, TrainingSettings(epochs=2), folder=tmp_path, resume=True)
    other = parts(ranking_weight=0.5)
    with pytest.raises(ConfigError, match="other settings or other data"):
        train(*other, dataset(), None, TrainingSettings(epochs=2), folder=tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    train(*parts(), dataset(), None, TrainingSettings(epochs=1), folder=tmp_path)
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(DataError, match="can not be read as a checkpoint"):
        train(*parts(), dataset(), None, TrainingSettings(epochs=1), folder=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("batch_size", 1.5), ("learning_rate", 0), ("schedule", "sine"), ("precision", "int8")],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ConfigError, match=rf"{name}={value!r}: expected"):
        TrainingSettings(**{name: value})


def test_random_state_goes_round():
    state = get_random_state()
    expected = torch.rand(3).tolist(), random.random(), np.random.random(3).tolist()  # noqa: NPY002
    set_random_state(*state)
    assert (torch.rand(3).tolist(), random.random(), np.random.random(3).tolist()) == expected  # noqa: NPY002


def test_seeded_leaves_no_trace():
    state = get_random_state()
    expected = torch.rand(2).tolist()
    set_random_state(*state)
    with seeded(3, "x"):
        inside = torch.rand(2).tolist()
    assert torch.rand(2).tolist() == expected != inside
    with seeded(3, "x"):
        assert torch.rand(2).tolist() == inside
