"""Throughput of training on two processes beside one, one thread each: pairs of runs, in turn.

Two modalities of 32 x 32 pictures, a small CNN each, 128 samples a batch whatever the number of processes; the seconds
of the epochs after the first.

    python benchmarks/two_processes.py [--rounds 3] [--epochs 4]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

import torch
from torch import nn

SAMPLES, SIDE, CLASSES = 2048, 32, 10


class SmallCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out_features = 64
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layers(x)
        return features


def work(epochs: int) -> None:
    """Train, as one process or one of two; the first prints seconds per epoch and the last loss."""
    from qmf.fusion import QualityAwareFusion
    from qmf.objective import QMFObjective
    from qmf.training import TensorBatches, TrainingSettings, train
    from qmf.training.processes import is_main_process, part

    torch.manual_seed(0)
    y = torch.randint(0, CLASSES, (SAMPLES,))
    inputs = {name: torch.randn(SAMPLES, 3, SIDE, SIDE) + y[:, None, None, None] / 5 for name in ("colour", "depth")}
    model = QualityAwareFusion({name: SmallCNN() for name in inputs}, CLASSES)
    data = TensorBatches(inputs, torch.ones(SAMPLES, 2, dtype=torch.bool), y)
    result = train(model, QMFObjective(SAMPLES, 2), data, None, TrainingSettings(epochs=epochs, batch_size=128))
    if is_main_process():
        seconds = statistics.median(row["seconds"] for row in result.rows[1:])
        print(json.dumps({"seconds": seconds, "loss": result.rows[-1]["fused"]}))
    part()


def run(processes: int, epochs: int) -> dict[str, float]:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command = [sys.executable, *(torchrun if processes > 1 else []), __file__, "--work", "--epochs", str(epochs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.epochs)
        return
    pairs = [(run(1, arguments.epochs), run(2, arguments.epochs)) for _ in range(arguments.rounds)]
    one, two = (statistics.median(row["seconds"] for row in column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in pairs)
    print(
        f"one process {SAMPLES / one:.0f} samples/s, two {SAMPLES / two:.0f} samples/s, ratio {ratio:.2f} (1.7 wanted)"
    )
    print(f"fused loss after {arguments.epochs} epochs: one {pairs[0][0]['loss']:.4f}, two {pairs[0][1]['loss']:.4f}")


if __name__ == "__main__":
    main()
