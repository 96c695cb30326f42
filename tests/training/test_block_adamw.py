"""AdamW without PyTorch's search for parameters gives PyTorch's numbers and state."""

import copy

import pytest
import torch

from qmf.training.block_adamw import BlockAdamW


def groups(seed, *, idle=False):
    generator = torch.Generator().manual_seed(seed)
    made = [torch.nn.Parameter(torch.randn(*shape, generator=generator)) for shape in ((1, 300), (1, 7), (2, 3))]
    trained, biases, others = made
    others.requires_grad_(not idle)
    return made, [
        {"params": [trained, others], "weight_decay": 0.1, "lr": 0.02},
        {"params": [biases], "weight_decay": 0},
    ]


@pytest.mark.parametrize("idle", [False, True])
def test_values_and_state_are_those_of_adamw_and_states_can_be_exchanged(idle):
    (ours, mine), (theirs, given) = groups(0, idle=idle), groups(0, idle=idle)
    a, b = BlockAdamW(mine, lr=0.01, fused=True), torch.optim.AdamW(given, lr=0.01, fused=True)
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)) for o in (a, b)]
    generator = torch.Generator().manual_seed(1)
    for step in range(8):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn(p.shape, generator=generator) if p.requires_grad else None
            q.grad = None if p.grad is None else p.grad.clone()
        for optimiser, schedule in zip((a, b), schedules, strict=True):
            optimiser.step()
            schedule.step()
        if step == 4:  # as after a stop, by either
            state = copy.deepcopy(a.state_dict())
            a.load_state_dict(b.state_dict())
            b.load_state_dict(state)
    for p, q in zip(ours, theirs, strict=True):
        assert torch.equal(p, q)
        assert a.state[p].keys() == b.state[q].keys()
        assert all(torch.equal(value, b.state[q][name]) for name, value in a.state[p].items())


def test_a_closure_is_called():
    (trained, *_), mine = groups(0)
    optimiser = BlockAdamW(mine, lr=0.01, fused=True)

    def closure():
        loss = trained.square().sum()
        optimiser.zero_grad()
        loss.backward()
        return loss

    losses = [optimiser.step(closure).item() for _ in range(3)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]
