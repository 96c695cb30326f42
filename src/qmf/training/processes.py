"""Several processes that train one model: who writes, and how they part."""

from __future__ import annotations

import os

__all__ = ["is_main_process", "part"]


def is_main_process() -> bool:
    """Say whether this process writes files and talks: the only one, or the first of those torchrun started."""
    return int(os.environ.get("RANK", "0")) == 0


def part() -> None:
    """Wait for the other processes of a run, where there are some, and end the group."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
