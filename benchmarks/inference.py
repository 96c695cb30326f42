"""Throughput of answering beside the bare encoders, and how long a process takes that predicts one row.

1. Two small CNNs on 32 x 32 pictures, 256 samples at a time: the encoders alone, and the whole model, in turn, for the
   presets `robust` (typicality fitted) and `paper`.
2. `qmf --help`; and `qmf predict` of one row of vectors beside a script that imports torch and runs the same layers.

    python benchmarks/inference.py [--rounds 20]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from qmf.fusion import QualityAwareFusion
from step_overhead import SmallCNN

BARE = """
import json, sys, torch
from safetensors.torch import load_file
weights = load_file(sys.argv[1] + "/model.safetensors")
x = torch.randn(1, 8)
with torch.inference_mode():
    for m in range(2):
        layer = (weights[f"encoders.{m}.hidden.{name}"] for name in ("weight", "bias"))
        h = torch.relu(torch.nn.functional.linear(x, *layer))
    print(h.sum().item())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for preset in ("robust", "paper"):
        throughput(preset, rounds)
    processes(min(rounds, 7))


def throughput(preset: str, rounds: int) -> None:
    torch.manual_seed(0)
    model = QualityAwareFusion({"colour": SmallCNN(), "depth": SmallCNN()}, 10, preset=preset).eval()
    inputs = {name: torch.randn(256, 3, 32, 32) for name in model.modalities}
    model.fit_typicality(inputs, torch.ones(256, 2, dtype=torch.bool))

    def encoders() -> None:
        for encoder, x in zip(model.encoders, inputs.values(), strict=True):
            encoder(x)

    with torch.inference_mode():
        pairs = [(seconds(encoders), seconds(lambda: model(inputs))) for _ in range(rounds + 2)][2:]
    bare, whole = (256 / statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{preset}: encoders {bare:.0f} samples/s, model {whole:.0f} samples/s, ratio {ratio:.3f} (0.97 wanted)")


def processes(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [f"{i % 2}," + ",".join(str((i * j) % 7 / 3 + i % 2) for j in range(1, 17)) for i in range(200)]
        header = "label," + ",".join([f"a{j}" for j in range(8)] + [f"b{j}" for j in range(8)])
        (folder / "train.csv").write_text("\n".join([header, *rows]) + "\n")
        (folder / "one.csv").write_text(f"{header}\n{rows[0]}\n")
        (folder / "config.yaml").write_text(
            "data: {train: train.csv, label: label, modalities: {a: {columns: 'a*'}, b: {columns: 'b*'}}}\n"
            "training: {epochs: 2}\n"
        )
        qmf = [sys.executable, "-m", "qmf"]
        run([*qmf, "fit", "config.yaml", "-o", "model", "-q"], folder)
        run([*qmf, "export", "model", "-o", "model.onnx"], folder)
        commands = {
            "help": [*qmf, "--help"],
            "bare": [sys.executable, "-c", BARE, "model"],
            "predict": [*qmf, "predict", "model", "one.csv", "-o", "answer.csv"],
            "onnx": [*qmf, "predict", "model.onnx", "one.csv", "-o", "answer.csv"],
        }
        times = [{key: seconds(partial(run, c, folder)) for key, c in commands.items()} for _ in range(rounds)]
    median = {key: statistics.median(row[key] for row in times) for key in commands}
    print(f"qmf --help: {median['help']:.2f} s (0.3 wanted)")
    print(f"torch and two layers: {median['bare']:.2f} s")
    for key, title in (("predict", "qmf predict, model folder"), ("onnx", "qmf predict, ONNX file")):
        ratio = statistics.median(row[key] / row["bare"] for row in times)
        print(f"{title}: {median[key]:.2f} s, ratio {ratio:.2f} (1.5 wanted)")


def run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, capture_output=True, check=True)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
