"""AdamW whose step is its arithmetic: for two blocks of parameters, PyTorch's own search takes longer than that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["BlockAdamW"]


class BlockAdamW(torch.optim.AdamW):
    """AdamW over few and large parameters of one device, to be made with ``fused=True``: same numbers, same state.

    Hooks on its steps are not called, and profilers do not see it by name.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step; the first one, and what closures ask for, as PyTorch does."""
        trained = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        if closure is not None or not all(p in self.state for params in trained for p in params):
            return super().step(closure)
        for group, params in zip(self.param_groups, trained, strict=True):
            states = [self.state[p] for p in params]
            steps = [state["step"] for state in states]
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                params,
                [p.grad for p in params],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                steps,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )
        return None

    step.hooked = True  # type: ignore[attr-defined]  # PyTorch wraps it otherwise, which takes as long as a small step
