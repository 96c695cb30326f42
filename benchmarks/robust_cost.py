"""What the preset `robust` costs beside plain late fusion and beside the paper's method, side by side in one process.

Usage: [QMF_DATA=FOLDER] python benchmarks/robust_cost.py

Prints ratios of CPU time, the smallest of several rounds in turn: answering (feature views, encoders of several widths;
with QMF_DATA also pictures and texts of MVSA-Single, encoders included) and training (`handwritten`).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from qmf import QMFClassifier
from qmf.datasets import load_handwritten, load_mvsa

ROUNDS = 7
HIDDEN = (128, 1024, 4096)


def main() -> None:
    """Print the ratios."""
    torch.set_num_threads(1)
    training, test = load_handwritten("train"), load_handwritten("test")
    for hidden in HIDDEN:
        options: dict[str, Any] = {"epochs": 3, "hidden": hidden, "random_state": 0}
        models = {p: QMFClassifier(preset=p, **options).fit(training) for p in ("static", "robust")}
        asked = seconds({name: partial(model.predict_full, test) for name, model in models.items()})
        show(f"answering 400 digits of six feature views, encoders of one layer of {hidden}", asked)

    def fit(preset: str) -> None:
        QMFClassifier(preset=preset, patience=100, random_state=0).fit(training)

    fitted = seconds({preset: partial(fit, preset) for preset in ("paper", "robust")}, rounds=2)
    show("training 100 epochs, none stopped early, on 1600 digits", fitted, "robust", "paper")
    if "QMF_DATA" in os.environ:
        pictures_and_texts(os.environ["QMF_DATA"])


def pictures_and_texts(data: str) -> None:
    """Tweets from photo and text with frozen encoders; nothing comes from a cache."""
    raw = load_mvsa(Path(data) / "mvsa_single", "train")
    some, asked = raw.take(range(300)), raw.take(range(300, 364))
    modalities = {"image": {"type": "image", "encoder": "efficientnet-lite0"}, "text": "text"}
    options: dict[str, Any] = {"epochs": 3, "random_state": 0, "modalities": modalities}
    models = {p: QMFClassifier(preset=p, **options).fit(some) for p in ("static", "robust")}

    def answer(model: QMFClassifier) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["QMF_CACHE"] = folder
            model.predict_full(asked)

    show("answering 64 tweets, encoders included", seconds({p: partial(answer, m) for p, m in models.items()}))


def seconds(work: Mapping[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, float]:
    """Give the smallest CPU time of each, run in turn."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, run in work.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def show(what: str, found: Mapping[str, float], of: str = "robust", to: str = "static") -> None:
    """Print one ratio."""
    times = ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in found.items())
    print(f"{what}: {of} takes {found[of] / found[to]:.2f}x {to} ({times})", flush=True)


if __name__ == "__main__":
    main()
