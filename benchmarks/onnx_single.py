"""How long one sample takes: the exported ONNX file beside the classifier it came from, in turn in one process.

    python benchmarks/onnx_single.py [--rounds 300]

Prints milliseconds (median) for one handwritten digit of six feature views, and their ratio: the graph beside the
model, and the whole answer beside the whole answer (calibration and reasons to abstain included).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from qmf import QMFClassifier
from qmf.datasets import load_handwritten
from qmf.export.exporting import export
from qmf.export.onnx_classifier import OnnxClassifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    training, test = load_handwritten("train"), load_handwritten("test")
    classifier = QMFClassifier(epochs=20, random_state=0).fit(training)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export(classifier, path, test)
        exported = OnnxClassifier(path)
    one = test.take(np.arange(1))
    difference = np.abs(exported.predict_proba(one) - classifier.predict_proba(one)).max()
    print(f"largest difference of a probability: {difference:.1e}")
    show("graph", lambda: classifier._outputs(one), lambda: exported._outputs(one), rounds)
    show("whole answer", lambda: classifier.predict_full(one), lambda: exported.predict_full(one), rounds)


def show(what: str, eager: Callable[[], object], onnx: Callable[[], object], rounds: int) -> None:
    times = [(seconds(eager), seconds(onnx)) for _ in range(rounds)]
    a, b = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(x / y for x, y in times)
    print(f"{what}: eager {a:.2f} ms, ONNX {b:.2f} ms, ratio {ratio:.2f}")


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
