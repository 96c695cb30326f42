"""Epoch time of `QMFClassifier` beside a plain-Python port of the procedure of the released code, in turn.

The port does what is described of that code, written anew: a data set of single samples collated by default, the
history in NumPy and updated sample by sample, its minimum and maximum over all samples at every step, the ranking loss
on rolled arrays brought back to tensors, logsumexp by hand. Same encoders, batch size and optimiser; six feature views
of the handwritten digits; one thread.

    python benchmarks/official_step.py [--epochs 8] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Dataset

from qmf import QMFClassifier
from qmf.data import Samples
from qmf.datasets import load_handwritten
from qmf.encoders import MLPEncoder

CLASSES, BATCH = 10, 64


class SingleSamples(Dataset[tuple[list[torch.Tensor], torch.Tensor, int]]):
    def __init__(self, samples: Samples) -> None:
        self.views = [torch.from_numpy(x) for x in samples.features.values()]
        self.target = torch.from_numpy(np.unique(np.asarray(samples.labels), return_inverse=True)[1])

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, i: int) -> tuple[list[torch.Tensor], torch.Tensor, int]:
        return [x[i] for x in self.views], self.target[i], i


class History:
    def __init__(self, samples: int) -> None:
        self.correctness = np.zeros(samples)
        self.largest = 1

    def update(self, index: torch.Tensor, losses: torch.Tensor) -> None:
        for i, loss in zip(index.numpy(), losses.detach().numpy(), strict=True):
            self.correctness[i] += loss

    def normalised(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        low, high = self.correctness.min(), self.correctness.max()
        kappa: NDArray[np.float64] = (self.correctness[index] - low) / max(high - low, 1e-12)
        return kappa


def ranking(history: History, index: torch.Tensor, confidence: torch.Tensor) -> torch.Tensor:
    rolled = torch.roll(confidence, -1)
    first, second = history.normalised(index.numpy()), history.normalised(np.roll(index.numpy(), -1))
    sign = torch.from_numpy(np.sign(first - second)).float()
    margin = torch.from_numpy(np.abs(first - second)).float()
    return F.margin_ranking_loss(confidence, rolled - margin / (sign + (sign == 0)), -sign)


def port(samples: Samples, epochs: int) -> float:
    """Give seconds per epoch."""
    data = SingleSamples(samples)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True)
    encoders = [MLPEncoder(x.shape[1]) for x in data.views]
    for encoder, x in zip(encoders, data.views, strict=True):
        encoder.standardise(x)
    model = nn.ModuleList(nn.Sequential(encoder, nn.Linear(encoder.out_features, CLASSES)) for encoder in encoders)
    histories = [History(len(data)) for _ in encoders]
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    start = time.perf_counter()
    for _ in range(epochs):
        total = 0.0
        for views, target, index in loader:
            logits = [head(x) for head, x in zip(model, views, strict=True)]
            confidence = [0.1 * torch.log(torch.exp(f).sum(dim=1)) for f in logits]
            fused = sum(w.unsqueeze(1) * f for w, f in zip(confidence, logits, strict=True))
            alone = [F.cross_entropy(f, target, reduction="none") for f in logits]
            ranks = [ranking(h, index, w) for h, w in zip(histories, confidence, strict=True)]
            loss = F.cross_entropy(fused, target) + sum(a.mean() for a in alone) + 0.1 * sum(ranks)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for history, losses in zip(histories, alone, strict=True):
                history.update(index, losses)
            total += loss.item()
    return (time.perf_counter() - start) / epochs


def ours(samples: Samples, epochs: int) -> float:
    model = QMFClassifier(preset="paper", epochs=epochs, validation_fraction=0, random_state=0).fit(samples)
    return float(statistics.median(row["seconds"] for row in model.training_rows_))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    samples = load_handwritten("train")
    ours(samples, 1)
    pairs = [(port(samples, arguments.epochs), ours(samples, arguments.epochs)) for _ in range(arguments.rounds)]
    theirs, mine = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = [a / b for a, b in pairs]
    print(
        f"{len(samples)} digits, an epoch: port {1e3 * theirs:.0f} ms, QMFClassifier {1e3 * mine:.0f} ms,"
        f" ratio {statistics.median(ratios):.2f} (rounds: {', '.join(f'{r:.2f}' for r in ratios)}; 4 wanted)"
    )


if __name__ == "__main__":
    main()
