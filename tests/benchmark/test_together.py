"""Many seeds at once are the same models as one by one."""

import numpy as np
import pytest
import torch
from torch.func import stack_module_state

from qmf.benchmark.budget import Budget
from qmf.benchmark.methods import METHODS, GivenDropout, Step
from qmf.benchmark.part import Part
from qmf.benchmark.together import train_together
from qmf.benchmark.vectorised_loss import VectorisedLoss
from qmf.benchmark.vectorised_training import _draw_bytes
from qmf.errors import ConfigError, DataError
from qmf.randomness import keyed_generator
from qmf.training.random_state import seeded

WIDTHS = {"a": 4, "b": 3}
BUDGET = Budget(epochs=2, batch_size=16, hidden=8)


def part(seed, n=50, absent=False):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = {"a": rng.normal(y[:, None], 0.5, (n, 4)), "b": rng.normal(0, 1, (n, 3))}
    present = np.ones((n, 2), dtype=bool)
    if absent:
        present[::7, 0] = False
    features = {name: v.astype(np.float32) for name, v in x.items()}
    return Part(features, present, y.astype(np.int64), np.zeros_like(present), np.arange(n).astype(str))


# Where nothing is absent, masks are spared: looked at for the methods that use features and heads differently.
@pytest.mark.parametrize(
    ("name", "absent"), [*((name, True) for name in METHODS), ("paper", False), ("mmtm", False), ("robust", False)]
)
def test_together_is_one_by_one(name, absent):
    def make():
        return METHODS[name](WIDTHS, 3, hidden=8)

    seeds, parts = [3, 1], [part(s, absent=absent) for s in range(2)]
    together, test = train_together(make, parts, seeds, BUDGET), part(9)
    for s, seed in enumerate(seeds):
        alone = train_together(make, [parts[s]], [seed], BUDGET)
        torch.testing.assert_close(together(s, test).logits, alone(0, test).logits, rtol=1e-3, atol=1e-4)
    assert together.parameters == sum(p.numel() for p in make().parameters())


def test_training_learns():
    trained = train_together(lambda: METHODS["paper"](WIDTHS, 3, hidden=16), [part(0, 300)], [0], Budget(epochs=60))
    test = part(1, 300)
    assert (trained(0, test).logits.argmax(1).numpy() == test.target).mean() > 0.8


def test_the_best_single_modality_is_the_one_that_says_something():
    trained = train_together(lambda: METHODS["best-single"](WIDTHS, 3, hidden=8), [part(0), part(1)], [0, 1], BUDGET)
    for model in trained.models:
        assert model.chosen.tolist() == [1.0, 0.0]


def test_parts_of_different_sizes_are_refused():
    with pytest.raises(DataError, match=r"parts of \[50, 40\] samples cannot be trained together"):
        train_together(lambda: METHODS["static"](WIDTHS, 3), [part(0), part(1, 40)], [0, 1], BUDGET)


@pytest.mark.parametrize("drawn_before", [0, 1, 2])
@pytest.mark.parametrize("n", [3, 4, 8, 13, 4096])
def test_bytes_are_those_of_the_generator(drawn_before, n):
    first, second = (keyed_generator(0, "bytes") for _ in range(2))
    for generator in (first, second):
        generator.integers(0, 1 << 32, drawn_before, dtype=np.uint32)
    drawn = np.empty(n, np.uint8)
    _draw_bytes(first, drawn)
    assert drawn.tobytes() == second.bytes(n)


@pytest.mark.parametrize(
    ("name", "own"), [("paper", {}), ("paper", {"beta": 1.5}), ("official-rgbd", {}), ("official-text-image", {})]
)
def test_traced_training_is_that_of_steps_that_are_written_out(name, own, monkeypatch):
    """Over several epochs: the bounds of the history are known from the second on."""
    budget = Budget(epochs=4, batch_size=16, hidden=8, dropout=0.1)
    trained = []
    for traced in (False, True):
        if traced:
            monkeypatch.setattr(METHODS[name], "written_step", lambda self, *given: None)
        make = lambda: METHODS[name](WIDTHS, 3, hidden=8, dropout=0.1, ranking_weight=1.0, **own)  # noqa: E731
        trained.append(train_together(make, [part(0), part(1)], [0, 1], budget).models)
    for a, b in zip(*trained, strict=True):
        for (key, p), q in zip(a.named_parameters(), b.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5, msg=lambda text, key=key: f"{key}: {text}")


def test_a_tensor_given_twice_is_not_traced():
    model = METHODS["simplex"](WIDTHS, 3, hidden=8, dropout=0.0).train()
    params, _ = stack_module_state([model])
    shared = {name: p for name, p in params.items() if not name.startswith("encoders.")}
    loss = VectorisedLoss(model, [*shared], complete=True)
    h, f, twice = [torch.randn(1, 9, 8) for _ in WIDTHS], torch.randn(1, 9, 2, 3), torch.zeros(1, 2)
    step = Step(torch.tensor(0.0), torch.zeros(1, 9, 2), torch.zeros(1, 9, 2), twice, twice)
    there, target = torch.ones(1, 9, 2, dtype=torch.bool), torch.zeros(1, 9, dtype=torch.int64)
    with pytest.raises(ValueError, match="given twice"):
        loss(h, f, list(shared.values()), [], there, target, step)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("complete", [True, False])
def test_the_traced_loss_has_the_gradients_that_autograd_gives_model_by_model(name, complete):
    torch.manual_seed(0)
    models = [METHODS[name](WIDTHS, 3, hidden=8, dropout=0.0).train() for _ in range(2)]
    for model in models:
        if model.chooses:
            model.chosen = torch.tensor([0.0, 1.0])
    params, buffers = stack_module_state(models)
    params = {key: p.detach() for key, p in params.items() if not key.startswith("encoders.")}
    buffers = {key: b for key, b in buffers.items() if not key.startswith("encoders.")}
    present = torch.ones(2, 5, 2, dtype=torch.bool)
    if not complete:
        present[0, 1, 0] = present[1, 2, 1] = False
    h = [torch.rand(2, 5, 8) for _ in range(2)]
    f, target = torch.randn(2, 5, 2, 3), torch.randint(3, (2, 5))
    known = (torch.rand(2, 5, 2), torch.ones(2, 5, 2), torch.zeros(2, 2), torch.ones(2, 2))
    progress = torch.tensor(0.3)
    loss = VectorisedLoss(models[0], [*params, *buffers], complete=complete)
    each, gradients = loss(h, f, list(params.values()), list(buffers.values()), present, target, Step(progress, *known))
    for s, model in enumerate(models):
        own = [x[s].clone().requires_grad_() for x in (*h, f)]
        step = Step(progress, *(x[s] for x in known))
        total, cost = model.training_step(own[:2], own[2], present[s], target[s], step, complete=complete)
        weights = [dict(model.named_parameters())[key] for key in params]
        expected = torch.autograd.grad(total, [*own, *weights], allow_unused=True)
        torch.testing.assert_close(each[s], cost)
        for gradient, wanted in zip(gradients, expected, strict=True):
            assert (gradient is None) == (wanted is None)
            if wanted is not None:
                torch.testing.assert_close(gradient[s], wanted, rtol=1e-4, atol=1e-6)


def test_encoders_of_different_dropout_are_refused():
    def make():
        model = METHODS["static"](WIDTHS, 3, hidden=8)
        model.encoders[1].dropout = GivenDropout(0.5, 8)
        return model

    with pytest.raises(ConfigError, match="the dropout of a method's encoders differs between modalities"):
        train_together(make, [part(0)], [0], BUDGET)


# One that chooses a modality is trained twice, first on a part of the samples.
@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if not method.chooses])
def test_trained_together_is_trained_by_plain_autograd(name):
    """Three steps on all samples, by a loop that shares nothing with the vectorised one but the method itself."""
    seeds, parts = [3, 1], [part(s) for s in range(2)]
    budget = Budget(epochs=3, batch_size=50, hidden=8, learning_rate=1e-2)

    def make():
        return METHODS[name](WIDTHS, 3, hidden=8, dropout=0.0)

    together = train_together(make, parts, seeds, budget)
    for seed, given, trained in zip(seeds, parts, together.models, strict=True):
        expected = trained_plainly(make, given, seed, budget)
        for key, value in expected.items():
            # Adam makes a whole step of a gradient that is all but 0, whichever way it was rounded: a few may differ.
            differ = (trained.state_dict()[key] - value).abs() > 0.2 * budget.learning_rate
            assert differ.float().mean() <= 0.03, key


def trained_plainly(make, given, seed, budget):
    with seeded(seed, "initial weights"):
        model = make().train()
    x = [torch.from_numpy(v) for v in given.features.values()]
    for encoder, v in zip(model.encoders, x, strict=True):
        encoder.standardise(v)
    present, target = torch.from_numpy(given.present), torch.from_numpy(given.target)
    optimiser = torch.optim.AdamW(model.parameters(), budget.learning_rate, weight_decay=budget.weight_decay)
    total, low, scale = torch.zeros(present.shape), torch.zeros(2), torch.zeros(2)
    for epoch in range(budget.epochs):
        optimiser.param_groups[0]["lr"] = budget.learning_rate * 0.5 * (1 + np.cos(np.pi * epoch / budget.epochs))
        # The regulariser compares neighbours: the order counts.
        order = torch.from_numpy(keyed_generator(seed, "benchmark epoch", epoch).permutation(len(target)))
        step = Step(torch.tensor(epoch / budget.epochs), total[order], torch.full_like(total, epoch), low, scale)
        h, f = model.unimodal([v[order] for v in x], present)
        loss, cost = model.training_step(h, f, present, target[order], step, complete=True)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total = total.index_add(0, order, cost)
        mean = total / (epoch + 1)
        low, scale = mean.amin(dim=0), 1 / (mean.amax(dim=0) - mean.amin(dim=0))
    return {key: value.detach() for key, value in model.named_parameters()}
