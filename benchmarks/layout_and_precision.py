"""Where another memory layout or bfloat16 makes a training step faster: networks that train on pictures, and heads.

Each step is run in turn with the plain one (float32, tensors as the encoder makes them) in one process. Prints the time
of the plain step and how many times it takes as long as the other: above 1, the other is faster.

    python benchmarks/layout_and_precision.py [--rounds 9]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from qmf.encoders import MLPEncoder
from qmf.encoders.efficientnet import EfficientNetLite0
from qmf.encoders.image_tuning import SmallCNN
from qmf.training.optimisation import build_optimizer
from qmf.training.settings import TrainingSettings

CLASSES = 10


class ChannelsFirst(nn.Module):
    """The same network on pictures whose channels are copied to the front first."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h: torch.Tensor = self.network(x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1))
        return h


def cases() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """Give encoders with a batch for each."""
    return {
        "small CNN, 64 pictures of 64 x 64": (SmallCNN(), 255 * torch.rand(64, 64, 64, 3)),
        "EfficientNet-Lite0, 8 pictures of 224 x 224": (EfficientNetLite0(), 255 * torch.rand(8, 224, 224, 3)),
        "head of width 256 on 1280 features, batch 256": (MLPEncoder(1280, 256), torch.randn(256, 1280)),
    }


def step(encoder: nn.Module, x: torch.Tensor, *, half: bool = False) -> Callable[[], None]:
    """Give a training step of an encoder with a linear head."""
    width = int(encoder(x[:1]).shape[1])
    model = nn.Sequential(encoder, nn.Linear(width, CLASSES)).train()
    optimizer, target = build_optimizer(model.named_parameters(), TrainingSettings()), torch.arange(len(x)) % CLASSES

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = model(x)
        F.cross_entropy(logits.float(), target).backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def ways(encoder: nn.Module, x: torch.Tensor) -> dict[str, Callable[[], None]]:
    """Give the plain step and the others."""
    found = {"plain": step(copy.deepcopy(encoder), x), "bfloat16": step(copy.deepcopy(encoder), x, half=True)}
    if x.dim() == 4:
        last = copy.deepcopy(encoder)
        for module in last.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        found["weights channels last"] = step(last, x)
        found["channels first"] = step(ChannelsFirst(copy.deepcopy(encoder)), x)
        found["weights channels last, bfloat16"] = step(last, x, half=True)
    return found


def seconds(run: Callable[[], None]) -> float:
    """Give the time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    for title, (encoder, x) in cases().items():
        steps = ways(encoder, x)
        rounds = [{name: seconds(run) for name, run in steps.items()} for _ in range(arguments.rounds + 1)][1:]
        print(f"{title}: plain {1e3 * statistics.median(row['plain'] for row in rounds):.1f} ms")
        for name in list(steps)[1:]:
            print(f"  over {name}: {statistics.median(row['plain'] / row[name] for row in rounds):.2f}")


if __name__ == "__main__":
    main()
