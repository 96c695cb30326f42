"""The formulas of the method against naive NumPy references, worked sample by sample."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from qmf.errors import ConfigError
from qmf.fusion import QualityAwareFusion, fuse_logits
from qmf.history import LossHistory
from qmf.objective import QMFObjective
from qmf.ranking import ranking_loss
from qmf.uncertainty import ESTIMATORS, Energy, TrueClassProbability
from qmf.weighting import ConstantWeights, LinearWeights, ReservedWeights, SimplexWeights, named_weighting

B, M, K = 7, 3, 4


def logits(seed=0, scale=3.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, scale, (B, M, K)).astype(np.float32))


def softmax(row):
    shifted = np.exp(row - row.max())
    return shifted / shifted.sum()


def naive_uncertainty(name, row):
    p = softmax(row)
    top = sorted(p)[::-1]
    return {
        "energy": lambda: -(row.max() + math.log(sum(math.exp(v - row.max()) for v in row))),
        "max-probability": lambda: 1 - top[0],
        "entropy": lambda: -sum(v * math.log(v) for v in p),
        "margin": lambda: 1 - (top[0] - top[1]),
        "evidential": lambda: len(row) / sum(math.log1p(math.exp(v)) + 1 for v in row),
    }[name]()


LOGIT_ESTIMATORS = [name for name, kind in ESTIMATORS.items() if kind.needs == "logits"]


@pytest.mark.parametrize("name", LOGIT_ESTIMATORS)
def test_uncertainty_is_its_formula(name):
    f = logits()
    expected = [[naive_uncertainty(name, row.astype(np.float64)) for row in sample] for sample in f.numpy()]
    np.testing.assert_allclose(ESTIMATORS[name](M)(f), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LOGIT_ESTIMATORS)
def test_sure_is_less_uncertain_than_unsure(name):
    sure, unsure = torch.tensor([[[9.0, 0.0, 0.0]]]), torch.tensor([[[1.0, 0.9, 0.8]]])
    assert ESTIMATORS[name](1)(sure) < ESTIMATORS[name](1)(unsure)


@pytest.mark.parametrize("name", LOGIT_ESTIMATORS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_huge_logits_give_finite_values_and_gradients(name, dtype):
    f = torch.tensor([[[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]]], dtype=dtype, requires_grad=True)
    u = ESTIMATORS[name](2)(f)
    u.sum().backward()
    assert u.dtype == torch.float32
    assert torch.isfinite(u).all()
    assert torch.isfinite(f.grad).all()


def test_energy_has_a_temperature_per_modality():
    f = logits()
    temperature = [0.5, 1.0, 4.0]
    for m, t in enumerate(temperature):
        expected = -t * np.log(np.exp(f.numpy()[:, m].astype(np.float64) / t).sum(axis=1))
        np.testing.assert_allclose(Energy(M, temperature=temperature)(f)[:, m], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="must be positive"):
        Energy(M, temperature=[1.0, 0.0, 1.0])


def test_true_class_probability_learns_alone():
    f = logits().requires_grad_()
    features = [torch.randn(B, 5, requires_grad=True) for _ in range(M)]
    estimator = TrueClassProbability(M, [5] * M)
    u = estimator(f, features)
    target = torch.arange(B) % K
    loss = estimator.auxiliary_loss(u, f, target)
    p = f.softmax(-1)[torch.arange(B), :, target]
    torch.testing.assert_close(loss, ((1 - u) - p).abs())
    loss.sum().backward()
    assert f.grad is None
    assert all(h.grad is None for h in features)
    assert all(parameter.grad is not None for parameter in estimator.parameters())


def test_weights_are_their_formulas():
    u = torch.tensor([[1.0, 2.0, 4.0], [0.0, -1.0, 3.0]])
    present = torch.tensor([[True, True, False], [True, True, True]])
    torch.testing.assert_close(LinearWeights(-0.5, 3.0)(u, present), torch.tensor([[2.5, 2.0, 0.0], [3.0, 3.5, 1.5]]))
    e = np.exp
    expected = [[e(-0.5) / (e(-0.5) + e(-1)), e(-1) / (e(-0.5) + e(-1)), 0.0]]
    expected += [[v / (1 + e(0.5) + e(-1.5)) for v in (1.0, e(0.5), e(-1.5))]]
    np.testing.assert_allclose(SimplexWeights(2.0)(u, present), expected, rtol=1e-6)
    expected = [[e(-0.5) / (1 + e(-0.5) + e(-1)), e(-1) / (1 + e(-0.5) + e(-1)), 0.0]]
    expected += [[v / (2 + e(0.5) + e(-1.5)) for v in (1.0, e(0.5), e(-1.5))]]
    np.testing.assert_allclose(ReservedWeights(2.0)(u, present), expected, rtol=1e-6)
    torch.testing.assert_close(ConstantWeights()(u, present), torch.tensor([[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]]))


@pytest.mark.parametrize("name", sorted(ESTIMATORS.keys() - {"credibility"}))
def test_the_preset_paper_gives_the_surer_modality_the_larger_weight_and_none_a_negative_one(name):
    # A sure and an unsure modality that contradict each other: the sure one decides, by its own sign.
    encoders = {"sure": nn.Linear(K, K), "unsure": nn.Linear(K, K)}
    encoders["sure"].out_features = encoders["unsure"].out_features = K
    model = QualityAwareFusion(encoders, K, uncertainty=name, heads=dict.fromkeys(encoders, nn.Identity())).eval()
    with torch.no_grad():
        for encoder in encoders.values():
            encoder.weight.copy_(torch.eye(K))
            encoder.bias.zero_()
        if name == "true-class-probability":  # learned: here told
            model.uncertainty.forward = lambda logits, features=(): 1 - logits.softmax(-1).amax(-1)
    sure, unsure = torch.zeros(1, K), torch.zeros(1, K)
    sure[0, 1], unsure[0, 2] = 6.0, 0.5
    output = model({"sure": sure, "unsure": unsure})
    assert (output.weights >= 0).all()
    assert output.weights[0, 0] > output.weights[0, 1]
    assert output.logits.argmax() == 1


def test_linear_weights_of_an_uncertainty_without_bound_are_refused():
    with pytest.raises(
        ConfigError, match="no upper bound, so that weights would be negative; expected 'simplex', 'res"
    ):
        named_weighting("linear", "simplex", math.inf)
    assert isinstance(named_weighting(None, "linear", math.inf), SimplexWeights)
    w = named_weighting(None, "linear", 2.0)(torch.tensor([[0.5, 2.0]]))
    torch.testing.assert_close(w, torch.tensor([[0.15, 0.0]]))


def test_the_intercept_of_linear_weights_is_given_with_their_name():
    u = torch.tensor([[-3.0, 2.0]])
    torch.testing.assert_close(named_weighting("linear:0.5", "simplex", None)(u), torch.tensor([[0.8, 0.3]]))
    torch.testing.assert_close(named_weighting("linear:2", "simplex", 1.0)(u), torch.tensor([[2.3, 1.8]]))


@pytest.mark.parametrize(
    ("given", "ceiling", "message"),
    [
        ("linear:much", None, "'linear:much': expected a number of at least 0 after the colon"),
        ("linear:-1", None, "expected a number of at least 0 after"),
        ("linear:inf", None, "expected a number of at least 0 after"),
        ("linear:0.1", 2.0, r"expected a number of at least 0\.2 after the colon, so that no weight is negative"),
        ("simplex:2", None, "weighting='simplex:2' does not exist; expected one of linear, .*, linear:BETA"),
        ("linear:2", math.inf, "no upper bound"),
    ],
)
def test_a_wrong_intercept_is_refused(given, ceiling, message):
    with pytest.raises(ConfigError, match=message):
        named_weighting(given, "linear", ceiling)


@pytest.mark.parametrize("weighting", [LinearWeights(), SimplexWeights(), ReservedWeights(), ConstantWeights()])
def test_nothing_absent_is_the_same_as_no_mask(weighting):
    u = torch.randn(B, M)
    torch.testing.assert_close(weighting(u, None), weighting(u, torch.ones(B, M, dtype=torch.bool)))


def test_what_is_reserved_leaves_the_proportions_and_lets_all_weights_fall_together():
    u = 3 * torch.rand(B, M)
    w = ReservedWeights()(u)
    torch.testing.assert_close(w / w.sum(dim=1, keepdim=True), SimplexWeights()(u))
    assert (w.sum(dim=1) < 1).all()
    assert (ReservedWeights()(u + 1) < w).all()
    torch.testing.assert_close(SimplexWeights()(u + 1), SimplexWeights()(u))


def naive_ranking(w, kappa, known, pairs, gap):
    """Value and gradient of the mean cost over pairs, one modality, by a double loop."""
    n = len(w)
    chosen = [(i, (i + 1) % n) for i in range(n)] if pairs == "adjacent" else None
    chosen = chosen or [(i, j) for i in range(n) for j in range(n) if i != j]
    chosen = [(i, j) for i, j in chosen if known[i] and known[j]]
    value, gradient = 0.0, np.zeros(n)
    for i, j in chosen:
        g = np.sign(kappa[i] - kappa[j])
        size = abs(kappa[i] - kappa[j])
        cost = g * (w[i] - w[j]) + (size if gap == "margin" else -size)
        if cost > 0:
            value += cost / len(chosen)
            gradient[i] += g / len(chosen)
            gradient[j] -= g / len(chosen)
    return value, gradient


@pytest.mark.parametrize("pairs", ["adjacent", "all"])
@pytest.mark.parametrize("gap", ["margin", "slack"])
def test_ranking_loss_and_gradient(pairs, gap):
    rng = np.random.default_rng(1)
    w = torch.tensor(rng.normal(size=(B, M)), dtype=torch.float32, requires_grad=True)
    kappa = torch.tensor(rng.random((B, M)), dtype=torch.float32)
    kappa[2] = kappa[3]  # a tie has no wanted order
    known = torch.tensor(rng.random((B, M)) > 0.2)
    loss = ranking_loss(w, kappa, known, pairs=pairs, gap=gap)
    loss.sum().backward()
    for m in range(M):
        value, gradient = naive_ranking(w.detach().numpy()[:, m], kappa.numpy()[:, m], known.numpy()[:, m], pairs, gap)
        assert loss[m].item() == pytest.approx(value, abs=1e-6)
        np.testing.assert_allclose(w.grad[:, m], gradient, atol=1e-6)


def test_slack_is_the_margin_ranking_loss_of_the_official_code():
    w, kappa = torch.randn(B), torch.rand(B)
    sign = (kappa - kappa.roll(-1)).sign()
    slack = (kappa - kappa.roll(-1)).abs()
    second = w.roll(-1) + slack / torch.where(sign == 0, 1.0, sign)
    official = nn.MarginRankingLoss(margin=0.0)(w, second, -sign)
    ours = ranking_loss(w[:, None], kappa[:, None], torch.ones(B, 1, dtype=torch.bool), gap="slack")
    torch.testing.assert_close(ours[0], official)


def test_ranking_without_any_pair_is_zero():
    w = torch.randn(1, 2, requires_grad=True)
    for pairs in ("adjacent", "all"):
        loss = ranking_loss(w, torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.bool), pairs=pairs)
        assert loss.tolist() == [0.0, 0.0]


class Official:
    """What the released code computes, in plain torch: full batches, one history per modality, sums of losses."""

    def __init__(self, lambda_, detach, record_first):
        self.lambda_, self.detach, self.record_first = lambda_, detach, record_first
        self.history = np.zeros((B, M))

    def step(self, f, target):
        weight = 0.1 * torch.log(torch.exp(f).sum(dim=2))
        used = weight.detach() if self.detach else weight
        fused = sum(used[:, m, None] * f[:, m] for m in range(M))
        loss = F.cross_entropy(fused, target) + sum(F.cross_entropy(f[:, m], target) for m in range(M))
        unimodal = np.stack([F.cross_entropy(f[:, m], target, reduction="none").detach() for m in range(M)], axis=1)
        if self.record_first:
            self.history += unimodal
        for m in range(M):
            h = self.history[:, m]
            if h.max() == h.min():
                continue  # the official code divides 0 by 0 here
            kappa = torch.tensor((h - h.min()) / (h.max() - h.min()), dtype=torch.float32)
            sign, slack = (kappa - kappa.roll(-1)).sign(), (kappa - kappa.roll(-1)).abs()
            second = weight[:, m].roll(-1) + slack / torch.where(sign == 0, 1.0, sign)
            loss = loss + self.lambda_ * nn.MarginRankingLoss()(weight[:, m], second, -sign)
        if not self.record_first:
            self.history += unimodal
        return fused, loss


def ours(preset, f, target, objective):
    choices = objective.choices
    output = fuse_logits(f, Energy(M)(f), None, LinearWeights(), detach_weights=choices.detach_weights)
    return output, objective(output, target, torch.arange(B)).loss


def test_preset_official_rgbd_is_the_official_code():
    official, objective = Official(0.1, detach=False, record_first=False), QMFObjective(B, M, preset="official-rgbd")
    target = torch.arange(B) % K
    for epoch in range(3):
        f, g = logits(epoch).requires_grad_(), logits(epoch).requires_grad_()
        fused, loss = official.step(f, target)
        output, our_loss = ours("official-rgbd", g, target, objective)
        torch.testing.assert_close(output.logits, fused, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(our_loss, loss, atol=1e-6, rtol=1e-6)
        loss.backward()
        our_loss.backward()
        torch.testing.assert_close(g.grad, f.grad, atol=1e-6, rtol=1e-5)
        objective.history.end_epoch()


def test_preset_official_text_image_is_the_official_code():
    """Its first epoch differs: bounds are known once an epoch has ended (docs/decisions/001)."""
    official = Official(1.0, detach=True, record_first=True)
    objective = QMFObjective(B, M, preset="official-text-image")
    target = torch.arange(B) % K
    f = logits(0)
    official.step(f, target)
    ours("official-text-image", f, target, objective)
    objective.history.end_epoch()
    # The same logits again: the sums double, so the normalised history is that of the bounds taken above.
    f, g = logits(0).requires_grad_(), logits(0).requires_grad_()
    fused, loss = official.step(f, target)
    output, our_loss = ours("official-text-image", g, target, objective)
    torch.testing.assert_close(output.logits, fused, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(our_loss, loss, atol=1e-6, rtol=1e-6)
    loss.backward()
    our_loss.backward()
    torch.testing.assert_close(g.grad, f.grad, atol=1e-6, rtol=1e-5)


def test_paper_has_the_margin_gradients_through_the_weights_and_no_nan():
    objective = QMFObjective(B, M)
    target = torch.arange(B) % K
    f = logits().requires_grad_()
    output, _ = ours("paper", f, target, objective)
    terms = objective(output, target, torch.arange(B))
    assert terms.ranking.tolist() == [0.0] * M
    objective.history.end_epoch()
    terms = objective(output, target, torch.arange(B))
    kappa, known = objective.history.kappa(torch.arange(B))
    torch.testing.assert_close(terms.ranking, ranking_loss(output.weights, kappa, known, gap="margin"))
    output.logits.sum().backward()
    w = 0.1 * torch.logsumexp(f.detach(), 2)
    through_weights = 0.1 * f.detach().softmax(2) * f.detach().sum(2, keepdim=True)
    torch.testing.assert_close(f.grad, w[..., None] + through_weights, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 3.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_objective_is_the_sum_of_cross_entropies(weights, smoothing):
    objective = QMFObjective(B, M, ranking_weight=0.0, class_weights=weights, label_smoothing=smoothing)
    target = torch.arange(B) % K
    f = logits()
    output, loss = ours("paper", f, target, objective)
    w = None if weights is None else torch.tensor(weights)
    expected = F.cross_entropy(output.logits, target, w, label_smoothing=smoothing)
    expected += sum(F.cross_entropy(f[:, m], target, w, label_smoothing=smoothing) for m in range(M))
    torch.testing.assert_close(loss, expected)
    assert objective.history is None


def test_unimodal_loss_is_the_mean_over_those_who_have_it():
    f, target = logits(), torch.arange(B) % K
    present = torch.ones(B, M, dtype=torch.bool)
    present[2:, 1] = False
    output = fuse_logits(f, Energy(M)(f), present, LinearWeights())
    terms = QMFObjective(B, M)(output, target, torch.arange(B))
    torch.testing.assert_close(terms.unimodal[1], F.cross_entropy(f[:2, 1], target[:2]))
    torch.testing.assert_close(terms.unimodal[0], F.cross_entropy(f[:, 0], target))


def test_filler_rows_count_for_nothing():
    f, target = logits(), torch.arange(B) % K
    with_fillers, without = QMFObjective(B, M), QMFObjective(B, M)
    index = torch.tensor([0, 1, 2, 3, -1, -1, -1])
    terms = with_fillers(fuse_logits(f, Energy(M)(f), None, LinearWeights()), target, index)
    g = f[:4]
    expected = without(fuse_logits(g, Energy(M)(g), None, LinearWeights()), target[:4], index[:4])
    torch.testing.assert_close(terms.loss, expected.loss)
    torch.testing.assert_close(with_fillers.history.total, without.history.total)
    assert with_fillers.history.count.sum() == 4 * M


def test_history_keeps_the_plain_loss_and_only_in_training():
    objective = QMFObjective(B, M, class_weights=[1.0, 2.0, 0.5, 3.0], label_smoothing=0.2)
    f, target = logits(), torch.arange(B) % K
    ours("paper", f, target, objective)
    plain = torch.stack([F.cross_entropy(f[:, m], target, reduction="none") for m in range(M)], dim=1)
    torch.testing.assert_close(objective.history.total, plain)
    objective.eval()
    ours("paper", f, target, objective)
    assert objective.history.count.unique().tolist() == [1]


def test_learned_uncertainty_is_trained_by_the_objective():
    model = QualityAwareFusion({"a": nn.Linear(3, 5)}, 2, uncertainty="true-class-probability", weighting="simplex")
    objective = QMFObjective(4, 1, uncertainty=model.uncertainty, ranking_weight=0.0)
    x, target = torch.randn(4, 3), torch.tensor([0, 1, 0, 1])
    output = model({"a": x})
    terms = objective(output, target, torch.arange(4))
    p = output.unimodal_logits.softmax(-1)[torch.arange(4), :, target]
    torch.testing.assert_close(terms.auxiliary, ((1 - output.uncertainty) - p).abs().mean())
    assert not list(objective.parameters())


class TestHistory:
    def test_is_the_running_mean_over_epochs(self):
        rng = np.random.default_rng(0)
        losses = rng.random((4, 10, 2)).astype(np.float32)
        history = LossHistory(10, 2)
        for epoch in losses:
            for rows in np.array_split(rng.permutation(10), 3):
                index = torch.from_numpy(rows)
                history.record(index, torch.from_numpy(epoch[rows]), torch.ones(len(rows), 2, dtype=torch.bool))
            history.end_epoch()
        mean = losses.mean(axis=0)
        expected = (mean - mean.min(axis=0)) / (mean.max(axis=0) - mean.min(axis=0))
        kappa, known = history.kappa(torch.arange(10))
        np.testing.assert_allclose(kappa, expected, atol=1e-5)
        assert known.all()
        assert [i for i, _ in history.hardest(1, 3)] == np.argsort(-mean[:, 1])[:3].tolist()
        assert history.hardest(1, 1)[0][1] == pytest.approx(mean[:, 1].max(), rel=1e-5)

    def test_starts_with_its_start_epoch(self):
        history = LossHistory(2, 1, start_epoch=2)
        for epoch in range(4):
            history.record(torch.arange(2), torch.full((2, 1), float(epoch)), torch.ones(2, 1, dtype=torch.bool))
            history.end_epoch()
        assert history.count.flatten().tolist() == [2, 2]
        assert history.total.flatten().tolist() == [5.0, 5.0]

    def test_absent_leaves_no_trace_whatever_stands_there(self):
        history = LossHistory(2, 2)
        present = torch.tensor([[True, False], [False, True]])
        history.record(torch.arange(2), torch.tensor([[1.0, torch.nan], [torch.inf, 2.0]]), present)
        history.end_epoch()
        assert history.total.tolist() == [[1.0, 0.0], [0.0, 2.0]]
        assert history.kappa(torch.arange(2))[1].tolist() == present.tolist()
        assert history.hardest(0) == [(0, 1.0)]

    def test_is_part_of_the_state(self):
        history, other = LossHistory(3, 1, start_epoch=1), LossHistory(3, 1, start_epoch=1)
        history.end_epoch()
        history.record(torch.arange(3), torch.tensor([[1.0], [2.0], [3.0]]), torch.ones(3, 1, dtype=torch.bool))
        history.end_epoch()
        other.load_state_dict(history.state_dict())
        assert other.kappa(torch.arange(3))[0].flatten().tolist() == [0.0, 0.5, 1.0]
        assert bool(other.recording)

    def test_takes_eight_bytes_per_sample_and_modality(self):
        history = LossHistory(1000, 3)
        assert history.total.nbytes + history.count.nbytes == 8 * 1000 * 3
