"""What QMF costs on a CUDA device beside its encoders, and what the device brings beside the CPU of the same machine.

1. A training step of `paper` and of `robust` over plain summed cross-entropy, same encoders: the cases of
   `step_overhead.py`, larger small CNNs, and EfficientNet-Lite0 in bfloat16.
2. Throughput of a model over its bare encoders.
3. Seeds together: against one at a time on the device, and against the CPU.
4. EfficientNet-Lite0, all of it tuned: float32 over float16 and bfloat16. Frozen: the device over the CPU.

All pairs in turn in one process. Prints one line for each; without a CUDA device it says so and ends.

    python benchmarks/on_a_gpu.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from many_seeds import prepare, training_part
from qmf.benchmark.budget import Budget
from qmf.benchmark.methods import METHODS
from qmf.benchmark.methods.base import Method
from qmf.benchmark.together import train_together
from qmf.encoders.efficientnet import EfficientNetLite0, folded
from qmf.fusion import QualityAwareFusion
from qmf.history import LossHistory
from qmf.training.optimisation import build_optimizer
from qmf.training.settings import TrainingSettings
from step_overhead import Case, SmallCNN, cases, plain_step, qmf_step

Work = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    if not torch.cuda.is_available():
        print("no CUDA device: nothing to measure")
        return
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {torch.get_num_threads()} CPU threads")
    steps(rounds)
    answering(rounds)
    tuning(rounds)
    frozen(rounds)
    seeds(min(rounds, 3))


def steps(rounds: int) -> None:
    for case in [*cases(), *larger()]:
        moved = case._replace(inputs={name: x.cuda() for name, x in case.inputs.items()})
        context = torch.autocast("cuda", torch.bfloat16) if "bfloat16" in case.title else nullcontext()
        with context:
            ours, plain = qmf_step(moved, LossHistory(10**4, len(case.inputs))), plain_step(moved)
            qmf, alone, ratio = compare(ours, plain, rounds, 20)
        print(f"step, {case.title}: QMF {qmf:.3f} ms, plain {alone:.3f} ms, ratio {ratio:.3f}", flush=True)


def larger() -> list[Case]:
    pictures = {name: torch.randn(256, 3, 64, 64) for name in ("colour", "depth")}
    photos = {name: 255 * torch.rand(64, 224, 224, 3) for name in ("colour", "depth")}
    return [
        Case("two small CNNs, 256 pictures of 64 x 64", 1.05, lambda: {n: SmallCNN() for n in pictures}, pictures),
        Case("two EfficientNet-Lite0, bfloat16", 1.05, lambda: {n: Lite0() for n in photos}, photos),
    ]


class Lite0(nn.Module):
    out_features = 1280

    def __init__(self) -> None:
        super().__init__()
        self.network = EfficientNetLite0()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h: torch.Tensor = self.network(x)
        return h


@torch.inference_mode()
def answering(rounds: int) -> None:
    for title, make, x in (
        ("small CNNs, 256 pictures of 32 x 32", SmallCNN, torch.randn(256, 3, 32, 32)),
        ("EfficientNet-Lite0, 256 pictures", Lite0, 255 * torch.rand(256, 224, 224, 3)),
    ):
        for preset in ("paper", "robust"):
            model = QualityAwareFusion({"colour": make(), "depth": make()}, 10, preset=preset).cuda().eval()
            inputs = {name: x.cuda() for name in model.modalities}
            model.fit_typicality(inputs, torch.ones(len(x), 2, dtype=torch.bool, device="cuda"))
            answer, encode = asking(model, inputs), encoding(model, inputs)
            whole, bare, ratio = compare(answer, encode, rounds, 10)
            print(
                f"answering, {title}, {preset}: model {whole:.3f} ms, encoders {bare:.3f} ms,"
                f" throughput {1 / ratio:.3f}",
                flush=True,
            )


def asking(model: QualityAwareFusion, inputs: dict[str, torch.Tensor]) -> Work:
    return lambda: model(inputs)


def encoding(model: QualityAwareFusion, inputs: dict[str, torch.Tensor]) -> Work:
    return lambda: [encoder(x) for encoder, x in zip(model.encoders, inputs.values(), strict=True)]


def tuning(rounds: int) -> None:
    x = 255 * torch.rand(64, 224, 224, 3, device="cuda")
    target = torch.arange(64, device="cuda") % 10

    def step(precision: torch.dtype | None) -> Work:
        model = nn.Sequential(EfficientNetLite0(), nn.Linear(1280, 10)).cuda().train()
        optimizer, scaler = (
            build_optimizer(model.named_parameters(), TrainingSettings()),
            torch.GradScaler(enabled=precision is torch.half),
        )

        def run() -> None:
            with torch.autocast("cuda", precision) if precision else nullcontext():
                logits = model(x)
            scaler.scale(F.cross_entropy(logits.float(), target)).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()

        return run

    for precision in (torch.half, torch.bfloat16):
        full, less, ratio = compare(step(None), step(precision), rounds, 5)
        print(
            f"EfficientNet-Lite0 tuned, {precision}: {64e3 / less:.0f} pictures/s, float32 {64e3 / full:.0f},"
            f" ratio {ratio:.2f}",
            flush=True,
        )


@torch.inference_mode()
def frozen(rounds: int) -> None:
    network = folded(EfficientNetLite0().eval())
    x = (255 * torch.rand(64, 224, 224, 3)).byte()
    on_device = folded(EfficientNetLite0().eval()).cuda()
    cpu, gpu, ratio = compare(lambda: network(x), lambda: on_device(x.cuda()).cpu(), min(rounds, 5), 2)
    speeds = f"device {64e3 / gpu:.0f} pictures/s, CPU {64e3 / cpu:.0f}"
    print(f"EfficientNet-Lite0 frozen: {speeds}, ratio {ratio:.1f}", flush=True)


def seeds(rounds: int) -> None:
    numbers, budget = list(range(10)), Budget(epochs=10)
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder, numbers)
        parts = [training_part(folder, seed) for seed in numbers]
    widths = {name: x.shape[1] for name, x in parts[0].features.items()}

    def make() -> Method:
        return METHODS["paper"](widths, 10, hidden=budget.hidden, dropout=budget.dropout)

    def together() -> None:
        train_together(make, parts, numbers, budget)

    def one() -> None:
        train_together(make, parts[:1], numbers[:1], budget)

    def on_cpu() -> None:
        with patch("qmf.benchmark.vectorised_training.placed", lambda device: torch.device("cpu")):
            together()

    for work in (together, one, on_cpu):
        work()
    times = np.array([[seconds(work) for work in (together, one, on_cpu)] for _ in range(rounds)])
    ten, single, cpu = np.median(times, axis=0)
    print(
        f"ten seeds together, 10 epochs: {ten:.2f} s; one {single:.2f} s, so one by one / together"
        f" {10 * single / ten:.1f}; on the CPU {cpu:.2f} s, ratio {cpu / ten:.1f}",
        flush=True,
    )


def compare(a: Work, b: Work, rounds: int, steps: int) -> tuple[float, float, float]:
    """Give milliseconds of `a` and `b`, run in turn until the device is done, and the median of their ratio."""

    def timed(work: Work) -> float:
        return 1e3 / steps * seconds(lambda: [work() for _ in range(steps)])

    timed(a), timed(b)
    pairs = [(timed(a), timed(b)) for _ in range(rounds)]
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return first, second, statistics.median(x / y for x, y in pairs)


def seconds(work: Work) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
