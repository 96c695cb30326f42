"""What a training step of QMF costs beside the same encoders trained with plain summed cross-entropy.

Both steps are run in turn in one process, and their times compared pair by pair. Prints ratios:

1. QMF (fusion, history, ranking regulariser) over plain, for six encoders as small as those of the handwritten digits,
   for two heads of width 256 on frozen features, and for two small CNNs. All of it under autograd, as in a training
   loop of one's own; then, for vectors, as `fit` trains them, with encoders and heads written out.
2. QMF with a history of N = 10^8 samples in files that memory maps over N = 10^4 in memory.

    python benchmarks/step_overhead.py [--rounds 40] [--steps 25] [--large 100000000]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from qmf.encoders import MLPEncoder
from qmf.fusion import QualityAwareFusion
from qmf.heads import feature_widths
from qmf.history import LossHistory
from qmf.objective import QMFObjective
from qmf.training import mapped_storage
from qmf.training.batches import Batch
from qmf.training.optimisation import build_optimizer
from qmf.training.settings import TrainingSettings
from qmf.training.stackable import can_be_stacked
from qmf.training.stacked_steps import StackedSteps

CLASSES = 10


class Case(NamedTuple):
    """Encoders and a batch for them."""

    title: str
    wanted: float
    encoders: Callable[[], dict[str, nn.Module]]
    inputs: dict[str, torch.Tensor]


class SmallCNN(nn.Module):
    out_features = 64

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layers(x)
        return features


def cases() -> list[Case]:
    torch.manual_seed(0)
    widths = (76, 216, 64, 240, 47, 6)
    tiny = {f"view{m}": torch.randn(64, d) for m, d in enumerate(widths)}
    frozen = {"image": torch.randn(256, 1280), "text": torch.randn(256, 384)}
    pictures = {name: torch.randn(64, 3, 32, 32) for name in ("colour", "depth")}
    return [
        Case("six heads of width 128", 1.25, lambda: heads(tiny, 128), tiny),
        Case("frozen features, heads of width 256", 1.05, lambda: heads(frozen, 256), frozen),
        Case("two small CNNs", 1.05, lambda: {name: SmallCNN() for name in pictures}, pictures),
    ]


def heads(inputs: dict[str, torch.Tensor], width: int) -> dict[str, nn.Module]:
    return {name: MLPEncoder(x.shape[1], width) for name, x in inputs.items()}


def targets(case: Case) -> torch.Tensor:
    x = next(iter(case.inputs.values()))
    return torch.randint(0, CLASSES, (len(x),), generator=torch.Generator()).to(x.device)


def plain_step(case: Case) -> Callable[[], None]:
    """Train classifiers, each with its own cross-entropy, on their sum; on the device of their inputs."""
    target = targets(case)
    encoders = case.encoders()
    widths = feature_widths(encoders, CLASSES, {})
    heads = (nn.Linear(width, CLASSES) for width in widths)
    model = nn.ModuleDict({n: nn.Sequential(e, head) for (n, e), head in zip(encoders.items(), heads, strict=True)})
    optimizer = build_optimizer(model.to(target.device).named_parameters(), TrainingSettings())

    def step() -> None:
        loss = torch.stack([F.cross_entropy(model[name](x), target) for name, x in case.inputs.items()]).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def qmf_step(case: Case, history: LossHistory) -> Callable[[], None]:
    """Train the same encoders and heads with fusion, history and regulariser; other samples at every step."""
    target = targets(case)
    model = QualityAwareFusion(case.encoders(), CLASSES).to(target.device)
    objective = QMFObjective(len(history.total), len(case.inputs), history=history).to(target.device)
    optimizer = build_optimizer(model.named_parameters(), TrainingSettings())
    batches = known_batches(history, target, len(case.inputs))
    turn = iter(range(10**9))

    def step() -> None:
        terms = objective(model(case.inputs), target, batches[next(turn) % len(batches)], complete=True)
        terms.loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def fit_step(case: Case, history: LossHistory) -> Callable[[], None]:
    """Train as `fit` does on vectors; dropout, like the batches, is drawn anew at every step."""
    target = targets(case)
    model = QualityAwareFusion(case.encoders(), CLASSES)
    assert can_be_stacked(model, TrainingSettings(), target.device)
    steps = StackedSteps(model, seed=0)
    objective = QMFObjective(len(history.total), len(case.inputs), history=history)
    optimizer = build_optimizer(steps.named_parameters(), TrainingSettings(), in_blocks=True)
    batches = known_batches(history, target, len(case.inputs))
    turn = iter(range(10**9))

    def step() -> None:
        i = next(turn)
        batch = Batch(case.inputs, None, target, batches[i % len(batches)])
        steps.run(batch, objective, 1.0, (0, i * len(target)), complete=True)
        optimizer.step()
        steps.clear(optimizer)

    return step


def known_batches(history: LossHistory, target: torch.Tensor, modalities: int) -> tuple[torch.Tensor, ...]:
    """Give which samples the batches are, after the history has seen them: the regulariser is at work."""
    batches = torch.randint(0, len(history.total), (256, len(target))).to(target.device).unbind(0)
    losses = torch.rand(len(target), modalities, device=target.device)
    for index in batches:
        history.record(index, losses, losses >= 0)
    history.scale.fill_(1.0)
    return batches


def compare(a: Callable[[], None], b: Callable[[], None], rounds: int, steps: int) -> tuple[float, float, float]:
    """Give milliseconds per step of `a` and `b` and the median of their ratio a / b, run in turn."""

    def timed(step: Callable[[], None]) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - start) / steps * 1e3

    for step in (a, b):
        timed(step)
    pairs = [(timed(a), timed(b)) for _ in range(rounds)]
    medians = [statistics.median(times) for times in zip(*pairs, strict=True)]
    return medians[0], medians[1], statistics.median(x / y for x, y in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--large", type=int, default=10**8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # The same few batches are learnt by heart, and gradients too small for a normal number make products slow.
    torch.set_flush_denormal(True)
    for case in cases():
        ours = qmf_step(case, LossHistory(10**4, len(case.inputs)))
        qmf, plain, ratio = compare(ours, plain_step(case), arguments.rounds, arguments.steps)
        print(f"{case.title}: QMF {qmf:.3f} ms, plain {plain:.3f} ms, ratio {ratio:.3f} (at most {case.wanted} wanted)")
        if not isinstance(next(iter(case.encoders().values())), MLPEncoder):
            continue
        ours = fit_step(case, LossHistory(10**4, len(case.inputs)))
        qmf, plain, ratio = compare(ours, plain_step(case), arguments.rounds, arguments.steps)
        print(f"  as fit trains it: QMF {qmf:.3f} ms, plain {plain:.3f} ms, ratio {ratio:.3f}")
    case = cases()[0]
    with tempfile.TemporaryDirectory() as folder:
        mapped = LossHistory(arguments.large, 6, storage=mapped_storage(Path(folder), arguments.large, 6))
        steps = qmf_step(case, mapped), qmf_step(case, LossHistory(10**4, 6))
        large, small, ratio = compare(*steps, arguments.rounds, arguments.steps)
    print(
        f"N = {arguments.large:.0e} mapped: {large:.3f} ms, N = 1e+04: {small:.3f} ms, ratio {ratio:.3f} (1.05 wanted)"
    )


if __name__ == "__main__":
    main()
