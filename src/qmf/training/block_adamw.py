"""AdamW whose step is its arithmetic: PyTorch's looks through all parameters anew in each, which takes twice as long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["BlockAdamW"]


class BlockAdamW(torch.optim.AdamW):
    """AdamW over few and large parameters of one device, fused: same numbers, same state."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step; the first ones, and what hooks or closures ask for, as PyTorch does."""
        trained = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        hooked = self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks
        if closure is not None or hooked or not all(p in self.state for group in trained for p in group):
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
