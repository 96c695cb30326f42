"""The methods: formulas against independent ones, and what must hold for all of them."""

import numpy as np
import pytest
import torch
from scipy.special import digamma, gammaln

from qmf.benchmark.methods import METHODS, Method, Step, find_method
from qmf.benchmark.methods.base import cross_entropy
from qmf.benchmark.methods.evidential import conflict, dempster, dirichlet_loss
from qmf.benchmark.methods.pdf import PDF
from qmf.benchmark.methods.qmf import QMFPaper
from qmf.benchmark.part import Part
from qmf.benchmark.together import Trained
from qmf.errors import ConfigError
from qmf.objective import QMFObjective

WIDTHS, K = {"a": 3, "b": 5, "c": 2}, 4


def batch(n=6, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(n, width, generator=rng) for width in WIDTHS.values()]


def made(name, seed=0):
    torch.manual_seed(seed)
    return METHODS[name](WIDTHS, K, hidden=8, dropout=0.0).eval()


def nothing_known(n, m):
    zero = torch.zeros(n, m)
    return Step(torch.tensor(0.5), zero, zero, torch.zeros(m), torch.zeros(m))


@pytest.mark.parametrize("name", METHODS)
def test_what_is_absent_changes_nothing_and_no_sample_changes_another(name):
    method, x = made(name), batch()
    present = torch.ones(6, 3, dtype=torch.bool)
    present[:, 1] = torch.tensor([True, False, True, False, True, False])
    with torch.inference_mode():
        whole = method(x, present)
        other = [x[0], torch.where(present[:, 1, None], x[1], torch.tensor(1e3)), x[2]]
        torch.testing.assert_close(method(other, present).logits, whole.logits)
        alone = torch.cat([method([v[i : i + 1] for v in x], present[i : i + 1]).logits for i in range(6)])
        torch.testing.assert_close(alone, whole.logits)
    assert (whole.weights[~present] == 0).all()
    assert whole.logits.isfinite().all()


@pytest.mark.parametrize("name", METHODS)
def test_every_loss_has_finite_gradients(name):
    method, x = made(name).train(), batch()
    target, present = torch.tensor([0, 1, 2, 3, 0, 1]), torch.ones(6, 3, dtype=torch.bool)
    present[2, 0] = False
    h, f = method.unimodal(x, present)
    loss, each = method.training_step(h, f, present, target, nothing_known(6, 3), complete=False)
    loss.backward()
    gradients = [p.grad for p in method.parameters() if p.grad is not None]
    assert gradients
    assert all(g.isfinite().all() for g in gradients)
    assert each.shape == (6, 3)


@pytest.mark.parametrize("preset", ["paper", "official-rgbd", "official-text-image"])
def test_the_loss_of_qmf_is_the_objective_of_the_library(preset):
    method, x = made(preset), batch()
    present, target = torch.ones(6, 3, dtype=torch.bool), torch.tensor([0, 1, 2, 3, 0, 1])
    present[4, 2] = False
    objective = QMFObjective(6, 3, preset=preset)
    rng = torch.Generator().manual_seed(1)
    objective.history.record(torch.arange(6), torch.rand(6, 3, generator=rng), torch.ones(6, 3, dtype=torch.bool))
    objective.history.end_epoch()
    history = objective.history
    step = Step(torch.tensor(0.0), history.total.clone(), history.count.float(), history.low, history.scale)
    output = method(x, present)
    ours = method.loss(output, cross_entropy(output.unimodal_logits, target), target, step)
    torch.testing.assert_close(ours, objective.train()(output, target, torch.arange(6)).loss)


def test_dempster_by_hand_and_vacuous_opinions():
    a, b = torch.tensor([[3.0, 1.0]]), torch.tensor([[2.0, 2.0]])
    # b1 = (1/2, 0), u1 = 1/2; b2 = (1/4, 1/4), u2 = 1/2; C = 1/8; b = (1/8 + 1/4 + 1/8, 1/8) * 8/7; u = 1/4 * 8/7
    belief, u = np.array([1 / 2, 1 / 8]) * 8 / 7, 2 / 7
    np.testing.assert_allclose(dempster(a, b)[0], belief * 2 / u + 1, rtol=1e-6)
    torch.testing.assert_close(dempster(a, torch.ones(1, 2)), a)
    torch.testing.assert_close(dempster(a, b), dempster(b, a))


def test_the_dirichlet_loss_against_scipy():
    alpha, y = np.array([[1.5, 3.0, 1.2], [4.0, 1.0, 2.0]]), np.array([1, 2])
    expected = digamma(alpha.sum(1)) - digamma(alpha[[0, 1], y])
    wrong = alpha.copy()
    wrong[[0, 1], y] = 1
    s = wrong.sum(1)
    kl = gammaln(s) - gammaln(3) - gammaln(wrong).sum(1) + ((wrong - 1) * (digamma(wrong) - digamma(s)[:, None])).sum(1)
    ours = dirichlet_loss(torch.tensor(alpha), torch.tensor(y), torch.tensor(0.3))
    np.testing.assert_allclose(ours, expected + 0.3 * kl, rtol=1e-6)


def test_conflict_is_between_confident_opinions_that_differ():
    sure, other, empty = [11.0, 1.0], [1.0, 11.0], [1.0, 1.0]
    present = torch.ones(1, 2, dtype=torch.bool)
    # projected distance 10/12, conjunctive certainty (10/12)^2, both directions over M - 1 = 1
    expected = 2 * (10 / 12) ** 3
    assert conflict(torch.tensor([[sure, other]]), present).item() == pytest.approx(expected)
    for pair in ([sure, sure], [sure, empty]):
        assert conflict(torch.tensor([pair]), present).item() == pytest.approx(0.0)
    assert conflict(torch.tensor([[sure, other]]), torch.tensor([[True, False]])).item() == 0.0


def test_the_weights_of_pdf_by_hand():
    torch.manual_seed(0)
    method = PDF({"a": 3, "b": 3}, 2, hidden=8).train()
    h = [torch.randn(2, 8), torch.randn(2, 8)]
    f = torch.randn(2, 2, 2)
    out = method.fuse(h, f, torch.ones(2, 2, dtype=torch.bool))
    p = 1 - out.uncertainty.detach().numpy()
    holo = np.log(p[:, ::-1]) / np.log(p).sum(axis=1, keepdims=True)
    score = np.exp(p + holo)
    np.testing.assert_allclose(out.weights.detach(), score / score.sum(axis=1, keepdims=True), rtol=1e-5)


def test_the_oracle_leaves_out_what_is_damaged_unless_all_is():
    method, x = made("mask-oracle"), [v.numpy() for v in batch(2)]
    damaged = np.array([[True, False, False], [True, True, True]])
    everything = np.ones((2, 3), dtype=bool)
    part = Part(dict(zip(WIDTHS, x, strict=True)), everything, np.zeros(2, np.int64), damaged, np.array(["0", "1"]))
    weights = Trained([method])(0, part).weights
    np.testing.assert_allclose(weights, [[0, 0.5, 0.5], [1 / 3] * 3], atol=1e-6)


class Nothing(Method):
    """Not a method of the package."""


def test_methods_are_found_by_name_and_by_path():
    assert find_method("paper") is QMFPaper
    assert find_method(f"{__name__}:Nothing") is Nothing
    for name in ("papier", "json:JSONDecoder", "no.such:Thing"):
        with pytest.raises(ConfigError, match="method"):
            find_method(name)
