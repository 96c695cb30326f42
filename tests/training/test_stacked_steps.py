"""Steps that are written out are those of the model under autograd."""

import signal

import pytest
import torch
from torch import nn

from qmf.encoders import MLPEncoder
from qmf.errors import DataError, RunError
from qmf.fusion import QualityAwareFusion
from qmf.objective import QMFObjective
from qmf.objective_gradients import wanted_order
from qmf.training import TensorBatches, TrainingSettings, train
from qmf.training.dropout_draws import DropoutDraws
from qmf.training.interruption import TrainingInterruptedError
from qmf.training.stackable import can_be_stacked
from qmf.training.stacked_steps import StackedSteps

N, B, H, K = 30, 11, 8, 3
CPU = torch.device("cpu")


class Given(nn.Module):
    """Dropout with a mask from outside, scaled."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, h):
        return h * self.mask


def data(*, absent, n=N):
    generator = torch.Generator().manual_seed(0)
    inputs = {name: 2 + 3 * torch.randn(n, d, generator=generator) for name, d in (("a", 4), ("b", 7), ("c", 2))}
    present = torch.rand(n, 3, generator=generator) > (0.4 if absent else -1.0)
    present[:, 0] |= ~present.any(dim=1)
    for m, x in enumerate(inputs.values()):
        x[~present[:, m]] = torch.nan
    return TensorBatches(inputs, present, torch.randint(K, (n,), generator=generator))


def parts(training, preset, dropout, **options):
    torch.manual_seed(0)
    encoders = {name: MLPEncoder(x.shape[1], H, dropout) for name, x in training.inputs.items()}
    for encoder, x in zip(encoders.values(), training.inputs.values(), strict=True):
        encoder.standardise(x[~x.isnan().any(dim=1)])
    model = QualityAwareFusion(encoders, K, preset=preset).train()
    objective = QMFObjective(len(training), 3, preset=preset, **options).train()
    if objective.history is not None:
        objective.history.total.copy_(torch.rand(len(training), 3))
        objective.history.count.fill_(1)
        objective.history.end_epoch()
    return model, objective


@pytest.mark.parametrize("preset", ["paper", "official-rgbd", "official-text-image", "static", "robust"])
@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("prepared", ["not", "table", "ahead"])
@pytest.mark.parametrize("options", [{}, {"class_weights": [1.0, 2.0, 0.5]}, {"pairs": "all"}])
def test_terms_history_and_gradients_are_those_of_autograd(preset, absent, prepared, options):
    training, rows = data(absent=absent), torch.randperm(N)[:B]
    model, objective = parts(training, preset, 0.3, **options)
    keep = 1 - 77 / 256  # 0.3 to 1/256
    kept = DropoutDraws(5, 3 * H, 77).take(2, 4, B).view(B, 3, H)
    for m, encoder in enumerate(model.encoders):
        encoder.dropout = Given(kept[:, m] / keep)
    batch = training.take(rows)
    output = model(batch.inputs, batch.present)
    wanted = objective(output, batch.target, batch.index, complete=not absent)
    wanted.loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}

    stacked, other = parts(training, preset, 0.3, **options)
    steps = StackedSteps(stacked, seed=5)
    batch = (training if prepared == "not" else steps.prepared(training)).take(rows)
    if prepared == "ahead":
        (batch,) = steps.ahead(iter([batch]), other, (2, 4))
        assert (batch.ready is None) == absent
    given = steps.run(batch, other, 1.0, (2, 4), complete=not absent)
    steps.settle(other)
    for a, b in zip(given[:4], wanted[:4], strict=True):
        torch.testing.assert_close(a.detach(), b.detach(), rtol=1e-5, atol=1e-5)
    if objective.history is not None:
        torch.testing.assert_close(other.history.total, objective.history.total, rtol=1e-5, atol=1e-5)
    # A step of plain descent shows the gradients, whatever memory they stand in.
    before = {name: p.detach().clone() for name, p in stacked.named_parameters()}
    with torch.no_grad():
        for _, p in steps.named_parameters():
            if p.grad is not None:
                p -= p.grad
    steps.release()
    for name, p in stacked.named_parameters():
        moved = before[name] - p
        torch.testing.assert_close(moved, gradients.get(name, torch.zeros_like(p)), rtol=1e-4, atol=1e-5)
        assert p.is_contiguous()
    assert len({p.untyped_storage().data_ptr() for p in stacked.parameters()}) == len(list(stacked.parameters()))


def test_draws_of_dropout_belong_to_their_place_however_they_are_taken():
    whole = DropoutDraws(3, 13, 77).take(1, 0, 50)
    again = DropoutDraws(3, 13, 77)
    parts = [again.take(1, first, count) for first, count in ((0, 7), (7, 20), (27, 23))]
    assert torch.equal(torch.cat(parts), whole)
    for first, count in ((31, 4), (2, 1), (49, 1)):  # out of turn, as on another process or after a stop
        assert torch.equal(again.take(1, first, count), whole[first : first + count])
    assert not torch.equal(DropoutDraws(3, 13, 77).take(2, 0, 50), whole)
    assert not torch.equal(DropoutDraws(4, 13, 77).take(1, 0, 50), whole)
    many = DropoutDraws(0, 100, 77).take(0, 0, 1000)
    assert set(many.unique().tolist()) == {0, 1}
    assert abs(1 - many.float().mean() - 77 / 256) < 0.005


def test_what_is_prepared_ahead_is_what_each_batch_would_find():
    training = data(absent=False, n=211)
    model, objective = parts(training, "paper", 0.3)
    steps = StackedSteps(model, seed=5)
    cut = steps.prepared(training)
    order = torch.randperm(len(training))
    batches = [cut.take(rows) for rows in order.split(B)]  # more than are prepared in one go, and a smaller last one
    place, count = 3, 0
    for batch in steps.ahead(iter(batches), objective, (2, place)):
        assert batch.ready is not None
        assert torch.equal(batch.index, batches[count].index)
        z, kept, wanted = batch.ready
        standardised = [
            (training.inputs[name][batch.index] - encoder.mean) / encoder.std
            for name, encoder in zip(model.modalities, model.encoders, strict=True)
        ]
        torch.testing.assert_close(z, torch.cat(standardised, dim=1))
        own = DropoutDraws(5, 3 * H, 77).take(2, place, len(batch.index))
        assert torch.equal(kept, own.view(-1, 3, H).transpose(0, 1))
        kappa, known = objective.history.kappa(batch.index)
        for got, expected in zip(wanted, wanted_order(kappa.T, known.T, "margin", dim=1), strict=True):
            torch.testing.assert_close(got, expected)
        place, count = place + len(batch.index), count + 1
    assert count == len(batches) > 16


def model_of(encoders, **options):
    return QualityAwareFusion(encoders, K, **options)


@pytest.mark.parametrize(
    ("make", "settings", "expected"),
    [
        (lambda: model_of({"a": MLPEncoder(4), "b": MLPEncoder(9)}), {}, True),
        (lambda: model_of({"a": MLPEncoder(4), "b": MLPEncoder(9)}, preset="robust"), {}, True),
        (lambda: model_of({"a": MLPEncoder(4), "b": MLPEncoder(9)}), {"accumulate": 2}, False),
        (lambda: model_of({"a": MLPEncoder(4), "b": MLPEncoder(9)}), {"precision": "bf16"}, False),
        (lambda: model_of({"a": MLPEncoder(4), "b": MLPEncoder(9)}), {"compile": True}, False),
        (lambda: model_of({"a": MLPEncoder(4, 8), "b": MLPEncoder(9, 16)}), {}, False),
        (lambda: model_of({"a": MLPEncoder(4, 8, 0.1), "b": MLPEncoder(9, 8, 0.2)}), {}, False),
        (lambda: model_of({"a": MLPEncoder(4, 8), "b": nn.Linear(9, 8)}), {}, False),
        (lambda: model_of({"a": MLPEncoder(4, 8, 0.0), "b": MLPEncoder(9, 8, 0.0)}), {}, True),
        (lambda: model_of({"a": MLPEncoder(4, 8, 0.001), "b": MLPEncoder(9, 8, 0.001)}), {}, False),
        (lambda: model_of({"a": MLPEncoder(4, 8, 0.999), "b": MLPEncoder(9, 8, 0.999)}), {}, False),
    ],
)
def test_only_models_of_like_encoders_of_vectors_are_stacked(make, settings, expected):
    assert can_be_stacked(make(), TrainingSettings(**settings), CPU) is expected


def test_a_sample_without_any_modality_is_refused_as_the_model_refuses_it():
    training = data(absent=True)
    model, objective = parts(training, "paper", 0.3)
    batch = training.take(torch.arange(B))
    batch = batch._replace(present=batch.present.clone().index_fill_(0, torch.tensor([2]), False))
    messages = []
    for call in (
        lambda: model(batch.inputs, batch.present),
        lambda: StackedSteps(model, 0).run(batch, objective, 1.0, (0, 0), complete=False),
    ):
        with pytest.raises(DataError) as caught:
            call()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_a_run_that_fails_leaves_parameters_of_their_own():
    training = data(absent=False)
    model, objective = parts(training, "paper", 0.3)
    settings = TrainingSettings(epochs=3, learning_rate=1e30, optimizer="sgd")
    with pytest.raises(RunError, match="learning_rate"):
        train(model, objective, training, None, settings)
    assert all(p.is_contiguous() for p in model.parameters())
    assert len({p.untyped_storage().data_ptr() for p in model.parameters()}) == len(list(model.parameters()))


def test_a_frozen_part_or_a_hook_of_the_users_own_is_left_to_autograd():
    frozen, hooked = (model_of({"a": MLPEncoder(4), "b": MLPEncoder(9)}) for _ in range(2))
    frozen.encoders[0].hidden.weight.requires_grad_(False)
    hooked.encoders[1].register_forward_hook(lambda module, inputs, output: output)
    for model in (frozen, hooked):
        assert not can_be_stacked(model, TrainingSettings(), CPU)


def test_a_run_stopped_between_batches_that_were_prepared_together_goes_on_as_if_it_had_not(tmp_path, monkeypatch):
    training, settings = data(absent=False, n=211), TrainingSettings(epochs=3, batch_size=B, seed=1)
    ends = []
    for folder, stops in ((tmp_path / "whole", False), (tmp_path / "stopped", True)):
        model, objective = parts(training, "paper", 0.3)
        run, steps = StackedSteps.run, []

        def counted(*args, run=run, steps=steps, **options):
            steps.append(1)
            if len(steps) == 26:  # the sixth step of the second epoch of 20
                signal.raise_signal(signal.SIGTERM)
            return run(*args, **options)

        if stops:
            monkeypatch.setattr(StackedSteps, "run", counted)
            with pytest.raises(TrainingInterruptedError):
                train(model, objective, training, None, settings, folder=folder)
            monkeypatch.undo()
            model, objective = parts(training, "paper", 0.3)
        train(model, objective, training, None, settings, folder=folder, resume=True)
        ends.append(model.state_dict() | objective.state_dict())
    assert ends[0].keys() == ends[1].keys()
    for name, value in ends[0].items():
        assert torch.equal(value, ends[1][name]), name
