"""The objective with its gradients written out is the one that autograd derives from its formulas."""

import pytest
import torch

from qmf.history import LossHistory
from qmf.objective import QMFObjective
from qmf.types import FusionOutput

B, M, K, N = 9, 3, 4, 20


def case(seed, *, absent, extreme=False):
    generator = torch.Generator().manual_seed(seed)
    scale = 200.0 if extreme else 1.0
    fused = (scale * torch.randn(B, K, generator=generator)).requires_grad_()
    f = (scale * torch.randn(B, M, K, generator=generator)).requires_grad_()
    weights = torch.randn(B, M, generator=generator).requires_grad_()
    present = torch.rand(B, M, generator=generator) > (0.4 if absent else -1)
    index = torch.randperm(N, generator=generator)[:B]
    target = torch.randint(K, (B,), generator=generator)
    return FusionOutput(fused, f, weights, torch.zeros(B, M), present), target, index


def remembering(preset, seed, **options):
    generator = torch.Generator().manual_seed(seed)
    history = LossHistory(N, M)
    history.total.copy_(torch.rand(N, M, generator=generator).mul(4).round())  # with ties, which order nothing
    history.count.copy_(torch.randint(0, 3, (N, M), generator=generator))
    history.end_epoch()
    return QMFObjective(N, M, preset=preset, history=history, **options).train()


@pytest.mark.parametrize("preset", ["paper", "official-rgbd", "official-text-image", "static", "robust"])
@pytest.mark.parametrize(("absent", "filler", "complete"), [(0, 0, True), (0, 0, False), (1, 0, False), (1, 2, False)])
@pytest.mark.parametrize("seed", range(3))
def test_value_gradients_and_history_are_those_of_autograd(preset, absent, filler, complete, seed):
    results = []
    for options in ({}, {"class_weights": [1.0] * K}):  # with class weights, autograd does it
        output, target, index = case(seed, absent=absent, extreme=seed == 2)
        index[B - filler :] = -1
        objective = remembering(preset, seed, **options)
        terms = objective(output, target, index, complete=complete)
        (3.0 * terms.loss).backward()
        gradients = [x.grad if x.grad is not None else torch.zeros_like(x) for x in output[:3]]
        results.append([*terms[:4], *gradients, objective.history.total if objective.history else torch.zeros(1)])
    for given, wanted in zip(*results, strict=True):
        torch.testing.assert_close(given, wanted, rtol=1e-5, atol=1e-5)
