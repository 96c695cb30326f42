"""What a training step of QMF costs beside the same encoders trained with plain summed cross-entropy.

Both steps are run alternately in one process and their times compared pair by pair. Prints two ratios:

1. QMF (fusion, history, ranking regulariser) over plain: six encoders as large as those of the handwritten digits.
2. QMF with a history of N = 10^7 samples over N = 10^4.

    python benchmarks/step_overhead.py [--rounds 40] [--steps 25] [--large 10000000]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from qmf.encoders import MLPEncoder
from qmf.fusion import QualityAwareFusion
from qmf.objective import QMFObjective
from qmf.training.optimisation import build_optimizer
from qmf.training.settings import TrainingSettings

WIDTHS = (76, 216, 64, 240, 47, 6)
CLASSES = 10
BATCH = 64
HIDDEN = 128


def fake_inputs() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    torch.manual_seed(0)
    return {f"view{m}": torch.randn(BATCH, d) for m, d in enumerate(WIDTHS)}, torch.randint(0, CLASSES, (BATCH,))


def plain_step() -> Callable[[], None]:
    """Train six classifiers, each with its own cross-entropy, on their sum."""
    inputs, target = fake_inputs()
    model = nn.ModuleDict(
        {name: nn.Sequential(MLPEncoder(x.shape[1], HIDDEN), nn.Linear(HIDDEN, CLASSES)) for name, x in inputs.items()}
    )
    optimizer = build_optimizer(model, TrainingSettings())

    def step() -> None:
        loss = torch.stack([F.cross_entropy(model[name](x), target) for name, x in inputs.items()]).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def qmf_step(num_samples: int) -> Callable[[], None]:
    """Train the same encoders and heads with fusion, history and regulariser; other samples at every step."""
    inputs, target = fake_inputs()
    model = QualityAwareFusion({n: MLPEncoder(x.shape[1], HIDDEN) for n, x in inputs.items()}, CLASSES)
    objective = QMFObjective(num_samples, len(WIDTHS))
    # A history that has seen an epoch, so that the regulariser is at work.
    objective.history.count.fill_(1)
    objective.history.total.uniform_()
    objective.history.end_epoch()
    optimizer = build_optimizer(model, TrainingSettings())
    batches = torch.randint(0, num_samples, (512, BATCH)).unbind(0)
    turn = iter(range(10**9))

    def step() -> None:
        terms = objective(model(inputs), target, batches[next(turn) % len(batches)])
        terms.loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


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
    parser.add_argument("--large", type=int, default=10**7)
    arguments = parser.parse_args()
    qmf, plain, ratio = compare(qmf_step(10**4), plain_step(), arguments.rounds, arguments.steps)
    print(f"QMF step {qmf:.3f} ms, plain step {plain:.3f} ms, ratio {ratio:.3f} (at most 1.25 wanted)")
    large, small, ratio = compare(qmf_step(arguments.large), qmf_step(10**4), arguments.rounds, arguments.steps)
    print(
        f"N = {arguments.large:.0e}: {large:.3f} ms, N = 1e+04: {small:.3f} ms, ratio {ratio:.3f} (at most 1.05 wanted)"
    )


if __name__ == "__main__":
    main()
