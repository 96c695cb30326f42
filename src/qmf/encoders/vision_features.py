"""Pictures and depth maps to features by any frozen transformers vision model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qmf.encoders.pictures import DepthReader, Fit, ImageReader
from qmf.encoders.text_weights import file_hashes
from qmf.encoders.transformers_files import copy_model, model_folder, quiet_loading
from qmf.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["VisionFeatures"]

_VERSION = 1  # raise when the preprocessing below changes any feature
_BATCH = 8


class VisionFeatures:
    """Features of a frozen transformers vision model: its pooled output, else the mean of its last hidden states.

    Size, mean and standard deviation come from the model's own ``preprocessor_config.json``; pictures are read by
    `ImageReader`, always as RGB. The weights load at the first use.

    Parameters
    ----------
    model : str or pathlib.Path
        A folder, or a name on the Hugging Face hub (only what is here if ``QMF_OFFLINE`` is set).
    kind : {"image", "depth"}
        Depth maps are read by `DepthReader`.
    fit : {"squash", "crop"}
        As in `ImageReader`.
    max_depth : float, optional
        As in `DepthReader`.
    device : str
        Where the model runs.

    Attributes
    ----------
    kind, out_features, fingerprint, reader
        As in `ImageFeatures`.

    Raises
    ------
    ConfigError
        If the model is not there or is no vision model in safetensors.
    MissingDependencyError
        If transformers is not installed.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        kind: Literal["image", "depth"] = "image",
        fit: Fit = "squash",
        max_depth: float | None = None,
        device: str = "cpu",
    ) -> None:
        self.kind, self.device = kind, device
        self._folder, config, preprocessing = model_folder(model)
        width = config.get("hidden_size") or (config.get("hidden_sizes") or [None])[-1]
        if not isinstance(width, int):
            raise ConfigError(f"{self._folder}: config.json has no hidden_size: not a vision model that is known.")
        self.out_features = width
        size = _size(preprocessing)
        self.reader = ImageReader(size, fit) if kind == "image" else DepthReader(size, fit, max_depth)
        self._mean = preprocessing.get("image_mean", [0.5, 0.5, 0.5])
        self._std = preprocessing.get("image_std", [0.5, 0.5, 0.5])
        parts = [_VERSION, file_hashes(self._folder), kind, repr(self.reader)]
        self.fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        self._network: Any = None

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give features [n, D] of n pictures; see `ImageReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give features [n, D] of n squares [size, size, 3]."""
        import numpy as np
        import torch

        network, parts = self._load(), []
        mean, std = torch.tensor(self._mean).view(3, 1, 1), torch.tensor(self._std).view(3, 1, 1)
        with torch.inference_mode():
            for start in range(0, len(prepared), _BATCH):
                x = torch.from_numpy(np.stack(prepared[start : start + _BATCH])).permute(0, 3, 1, 2) / 255
                output = network(pixel_values=((x - mean) / std).to(self.device))
                parts.append(_pooled(output).float().cpu().numpy())
        features = np.concatenate(parts) if parts else np.zeros((0, self.out_features), dtype=np.float32)
        if features.shape[1] != self.out_features:
            raise DataError(f"{self._folder}: {features.shape[1]} features, its config.json says {self.out_features}")
        return features

    def save(self, folder: Path) -> None:
        """Copy the model's files into `folder`, from which ``VisionFeatures(folder, ...)`` gives the same features."""
        copy_model(self._folder, folder)

    def _load(self) -> Any:
        if self._network is None:
            from transformers import AutoModel

            options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "dtype": "float32"}
            try:
                with quiet_loading():
                    network = AutoModel.from_pretrained(self._folder, **options)
            except (OSError, ValueError, KeyError) as error:
                raise ConfigError(f"Vision model {self._folder} cannot be loaded: {error}") from error
            self._network = network.to(self.device).eval().requires_grad_(False)
        return self._network


def _pooled(output: Any) -> Any:
    pooled = getattr(output, "pooler_output", None)
    if pooled is not None:
        return pooled.flatten(1)
    hidden = output.last_hidden_state
    return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))


def _size(preprocessing: dict[str, Any]) -> int:
    size = preprocessing.get("crop_size") or preprocessing.get("size") or 224
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge") or 224
    return int(size)
