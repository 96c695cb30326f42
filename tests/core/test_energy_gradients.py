"""The paper's objective with its gradient written out is what autograd derives from its parts, model by model."""

import pytest
import torch
import torch.nn.functional as F

from qmf.energy_gradients import energy_objective
from qmf.fusion import fuse_logits
from qmf.logsumexp import log_sum_exp
from qmf.objective_gradients import wanted_order
from qmf.ranking import ranking_loss
from qmf.uncertainty import Energy
from qmf.weighting import LinearWeights

M, S, B, K = 3, 2, 7, 4


def by_parts(f, target, known, weighting, lambda_, gap, detach_weights):
    """Loss, terms and gradient of one model's logits [M, B, K]."""
    f = f.transpose(0, 1).clone().requires_grad_()  # [B, M, K]
    output = fuse_logits(f, Energy(M)(f), None, weighting, detach_weights=detach_weights)
    fused = F.cross_entropy(output.logits, target)
    cost = F.cross_entropy(f.transpose(1, 2), target[:, None].expand(B, M), reduction="none")
    ranking = torch.zeros(M) if known is None else ranking_loss(output.weights, *known, gap=gap)
    loss = fused + cost.mean(dim=0).sum() + lambda_ * ranking.sum()
    return torch.autograd.grad(loss, f)[0].transpose(0, 1), fused.detach(), cost.detach().T, ranking.detach()


@pytest.mark.parametrize("gap", ["margin", "slack"])
@pytest.mark.parametrize("detach_weights", [False, True])
@pytest.mark.parametrize("remembers", [False, True])
@pytest.mark.parametrize(("scale", "beta"), [(1.0, 0.0), (100.0, 0.0), (3.0, 0.7)])
def test_gradient_and_terms_are_those_of_autograd(gap, detach_weights, remembers, scale, beta):
    generator = torch.Generator().manual_seed(0)
    f = scale * torch.randn(M, S, B, K, generator=generator)
    target = torch.randint(K, (S, B), generator=generator)
    kappa = torch.rand(M, S, B, generator=generator).mul(4).round().div(4)  # with ties, which order nothing
    known = torch.rand(M, S, B, generator=generator) > 0.3
    weighting = LinearWeights(beta=beta)
    seen = []

    def recall(cost):
        seen.append(cost.clone())
        return wanted_order(kappa, known, gap, dim=2) if remembers else None

    terms = energy_objective(
        f.transpose(2, 3),
        target,
        recall,
        alpha=weighting.alpha,
        beta=weighting.beta,
        lambda_=0.5,
        detach_weights=detach_weights,
    )
    assert terms.ranking is None or remembers
    for s in range(S):
        own = (kappa[:, s].T, known[:, s].T) if remembers else None
        gradient, fused, cost, ranking = by_parts(f[:, s], target[s], own, weighting, 0.5, gap, detach_weights)
        torch.testing.assert_close(terms.gradient[:, s].transpose(1, 2), gradient, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(terms.fused[s], fused, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(terms.cost[:, s], cost, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(seen[0][:, s], cost, rtol=1e-5, atol=1e-5)
        if remembers:
            torch.testing.assert_close(terms.ranking[:, s], ranking, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
def test_log_sum_exp_is_that_of_torch_and_its_gradient_is_softmax(dtype, scale):
    x = (scale * torch.randn(50, 3, 6, generator=torch.Generator().manual_seed(1), dtype=dtype)).requires_grad_()
    torch.testing.assert_close(log_sum_exp(x), torch.logsumexp(x, dim=-1))
    (gradient,) = torch.autograd.grad(log_sum_exp(x).sum(), x)
    torch.testing.assert_close(gradient, x.detach().softmax(dim=-1))


def test_log_sum_exp_says_so_where_a_logit_is_no_number():
    x = torch.tensor([[0.0, torch.nan], [0.0, torch.inf], [-torch.inf, -torch.inf], [-torch.inf, 1.0]])
    assert log_sum_exp(x).isnan().tolist() == [True, True, True, False]
    assert log_sum_exp(x)[3] == 1.0
