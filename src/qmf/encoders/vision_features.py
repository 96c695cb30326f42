"""Pictures and depth maps to features by any transformers vision model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qmf.encoders.graph_inputs import Squares
from qmf.encoders.pictures import DepthReader, Fit, ImageReader
from qmf.encoders.placement import placed, predicting
from qmf.encoders.text_weights import file_hashes
from qmf.encoders.transformers_files import copy_model, model_folder, quiet_loading
from qmf.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from qmf.encoders.tuned import Tune

__all__ = ["VisionFeatures"]

_VERSION = 1  # raise when the preprocessing below changes any feature
_BATCH = 8


class VisionFeatures:
    """Features of a transformers vision model: its pooled output, else the mean of its last hidden states.

    Size, scale, mean and standard deviation come from the model's own ``preprocessor_config.json``; pictures are read
    by `ImageReader`, always as RGB. The weights load at the first use.

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
    tune : {"frozen", "last-block", "full"}
        What is trained with the model; where not "frozen", features are pixels and pictures are held in memory as
        12 size^2 bytes each.
    device : str, optional
        Where the model runs; by default on the CUDA device if there is one, else on the CPU.

    Attributes
    ----------
    kind, out_features, fingerprint, reader
        As in `ImageFeatures`.

    Raises
    ------
    ConfigError
        If the model is not there or is no vision model in safetensors, its preprocessing is not understood, or an
        option is none.
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
        tune: Tune = "frozen",
        device: str | None = None,
    ) -> None:
        if kind not in ("image", "depth") or tune not in ("frozen", "last-block", "full"):
            raise ConfigError(f"kind={kind!r}, tune={tune!r}: expected image or depth; frozen, last-block or full.")
        self.kind, self.tune, self.device = kind, tune, device
        self.cached = tune == "frozen"
        self._folder, config, preprocessing = model_folder(model)
        width = config.get("hidden_size") or (config.get("hidden_sizes") or [None])[-1]
        if not isinstance(width, int):
            raise ConfigError(f"{self._folder}: config.json has no hidden_size: not a vision model that is known.")
        size = _size(preprocessing)
        self._width, self.out_features = width, width if self.cached else 3 * size**2
        self.reader = ImageReader(size, fit) if kind == "image" else DepthReader(size, fit, max_depth)
        self._scale, self._mean, self._std = _normalisation(preprocessing, self._folder)
        parts = [_VERSION, file_hashes(self._folder), kind, repr(self.reader), *([] if self.cached else [tune])]
        self.fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        self._network: Any = None

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give features [n, D] of n pictures; see `ImageReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give features [n, D] of n squares [size, size, 3]; where tuned, normalised pixels."""
        import numpy as np
        import torch

        network, parts = self.network().to(placed(self.device)), []
        with predicting():
            for start in range(0, len(prepared), _BATCH):
                x = torch.from_numpy(np.stack(prepared[start : start + _BATCH])).to(placed(self.device))
                parts.append(network(x).cpu().numpy())
        features = np.concatenate(parts) if parts else np.zeros((0, self.out_features), dtype=np.float32)
        if features.shape[1] != self.out_features:
            raise DataError(f"{self._folder}: {features.shape[1]} features, its config.json says {self.out_features}")
        return features

    def backbone(self) -> nn.Module | None:
        """Give the network that is trained with the model; None where it is frozen."""
        import copy

        from qmf.encoders.transformers_tuning import RowsBackbone

        if self.cached:
            return None
        shape, last_only = (3, self.reader.size, self.reader.size), self.tune == "last-block"
        return RowsBackbone(copy.deepcopy(self._load()).cpu(), "pixel_values", shape, self._width, last_only=last_only)

    def graph_input(self) -> Squares:
        """Give what stands before `network`."""
        return Squares(self.kind, self.reader)

    def network(self) -> nn.Module:
        """Give the module from squares to what `encode` gives."""
        from qmf.encoders.graph_networks import VisionNetwork

        return VisionNetwork(self._load() if self.cached else None, self._scale, self._mean, self._std)

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
            self._network = network.to(placed(self.device)).eval().requires_grad_(False)
        return self._network


def _normalisation(preprocessing: dict[str, Any], folder: Path) -> tuple[float, list[float], list[float]]:
    """Give scale, mean and standard deviation, as the model's image processor applies them."""
    scale = preprocessing.get("rescale_factor", 1 / 255) if preprocessing.get("do_rescale", True) else 1.0
    if not preprocessing.get("do_normalize", True):
        return float(scale), [0.0] * 3, [1.0] * 3
    mean, std = (preprocessing.get(key, [0.5] * 3) for key in ("image_mean", "image_std"))
    if not all(isinstance(x, list) and len(x) == 3 for x in (mean, std)):
        raise ConfigError(
            f"{folder}/preprocessor_config.json: image_mean={mean!r}, image_std={std!r}: expected three numbers each."
        )
    return float(scale), mean, std


def _size(preprocessing: dict[str, Any]) -> int:
    size = preprocessing.get("crop_size") or preprocessing.get("size") or 224
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge") or 224
    return int(size)
