"""Pictures and depth maps to features by a frozen EfficientNet-Lite0."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qmf.encoders.graph_inputs import Squares
from qmf.encoders.image_weights import LITE0, WEIGHTS_FILE, lite0_weights, sha256
from qmf.encoders.pictures import DepthReader, Fit, ImageReader
from qmf.encoders.placement import placed, predicting
from qmf.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from qmf.encoders.efficientnet import EfficientNetLite0
    from qmf.encoders.tuned import Tune

__all__ = ["ImageFeatures"]

_VERSION = 1  # raise when reading or the network's form changes any feature
_BATCH = 8  # what fits into a CPU's caches: twice as fast as 32


class ImageFeatures:
    """Features of a frozen EfficientNet-Lite0 trained on ImageNet: its channels, averaged over the picture.

    The weights load at the first use; making the object only hashes files.

    Parameters
    ----------
    model : str or pathlib.Path
        ``"efficientnet-lite0"``, or a folder written by `save`.
    kind : {"image", "depth"}
        Depth maps are read by `DepthReader`: one channel becomes three, holes stay holes.
    size : int
        Pixels on each side of what the network sees.
    fit : {"squash", "crop"}
        Whether the whole picture is squashed into the square, or its central square is taken.
    flip : bool
        Average the features of the picture and of its mirror image, at twice the cost. Only where frozen.
    pool : {"mean", "stages"}
        The 1280 channels of the last layer; or also those that the last three stages end with, 1904 in all, which tell
        more where pictures are unlike ImageNet's (rooms, depth maps). "stages" only where frozen.
    tune : {"frozen", "last-block", "full"}
        What is trained with the model. For "last-block" the features are those before the last block; for "full" they
        are pixels, and pictures are held in memory as 12 size^2 bytes each.
    max_depth : float, optional
        The depth that becomes 255, see `DepthReader`.
    device : str, optional
        Where the network runs; by default on the CUDA device if there is one, else on the CPU.

    Attributes
    ----------
    kind : str
        As given.
    out_features : int
        1280 where frozen, 1904 of "stages".
    fingerprint : str
        Hash of weights, options and this file's version.
    reader : ImageReader or DepthReader
        From a file to what `forward` takes; worker processes use it.

    Raises
    ------
    ConfigError, MissingDependencyError
        If the weights are not here, or an option is none.

    Notes
    -----
    About 7 ms a picture on two CPU cores; bfloat16 is faster and off by 4 to 7 %, so it is not used.
    """

    def __init__(
        self,
        model: str | Path = LITE0,
        *,
        kind: Literal["image", "depth"] = "image",
        size: int = 224,
        fit: Fit = "squash",
        flip: bool = False,
        pool: Literal["mean", "stages"] = "mean",
        tune: Tune = "frozen",
        max_depth: float | None = None,
        device: str | None = None,
    ) -> None:
        if kind not in ("image", "depth"):
            raise ConfigError(f"kind={kind!r}: expected 'image' or 'depth'.")
        frozen_only = flip or pool == "stages"
        if tune not in ("frozen", "last-block", "full") or (frozen_only and tune != "frozen"):
            raise ConfigError(
                f"tune={tune!r}, flip={flip}, pool={pool!r}: expected frozen, last-block or full; stages and flip only"
                " where frozen."
            )
        if pool not in ("mean", "stages"):
            raise ConfigError(f"pool={pool!r}: expected 'mean' or 'stages'.")
        self.kind, self.flip, self.pool, self.tune, self.device = kind, flip, pool, tune, device
        self.cached = tune != "full"
        self._side = -(-size // 32)
        frozen = 1904 if pool == "stages" else 1280
        self.out_features = {"frozen": frozen, "last-block": 192 * self._side**2, "full": 3 * size**2}[tune]
        self.reader = ImageReader(size, fit) if kind == "image" else DepthReader(size, fit, max_depth)
        self._weights = lite0_weights(model)
        parts = [_VERSION, sha256(self._weights), kind, repr(self.reader), flip, tune]
        parts += [pool] if pool != "mean" else []  # so that features cached before there was a choice stay valid
        self.fingerprint = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        self._network: EfficientNetLite0 | None = None

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give features [n, out_features] of n pictures; see `ImageReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give features [n, out_features] of n squares [size, size, 3]; where tuned, what `backbone` takes."""
        import numpy as np
        import torch

        if self.tune == "full":
            return self.graph_input().forward(prepared)
        network, parts = self.network(), []
        with predicting():
            for start in range(0, len(prepared), _BATCH):
                x = torch.from_numpy(np.stack(prepared[start : start + _BATCH])).to(placed(self.device))
                parts.append(network(x).cpu().numpy())
        return np.concatenate(parts) if parts else np.zeros((0, self.out_features), dtype=np.float32)

    def graph_input(self) -> Squares:
        """Give what stands before `network`."""
        return Squares(self.kind, self.reader)

    def network(self) -> nn.Module:
        """Give the module from squares to what `encode` gives."""
        from qmf.encoders.graph_networks import AsRows, PictureNetwork

        if self.tune == "full":
            return AsRows()
        part = "trunk" if self.tune == "last-block" else "stages" if self.pool == "stages" else "forward"
        return PictureNetwork(self._load(), part, flip=self.flip)

    def backbone(self) -> nn.Module | None:
        """Give the part of the network that is trained with the model; None where it is frozen."""
        from qmf.encoders.image_tuning import FlatPictures, LastBlock

        if self.tune == "frozen":
            return None
        network = self._pretrained()
        return FlatPictures(network, self.reader.size) if self.tune == "full" else LastBlock(network, self._side)

    def save(self, folder: Path) -> None:
        """Copy the weights into `folder`, from which ``ImageFeatures(folder, ...)`` gives the same features."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._weights, folder / WEIGHTS_FILE)

    def _pretrained(self) -> EfficientNetLite0:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from qmf.encoders.efficientnet import EfficientNetLite0

        network = EfficientNetLite0()
        try:
            network.load_state_dict(load_file(self._weights))
        except (OSError, RuntimeError, SafetensorError) as error:
            reason = str(error).splitlines()[0].rstrip(".:")
            raise ConfigError(
                f"{self._weights} does not hold the weights of {LITE0}: {reason}. If it lies in qmf's cache, delete it:"
                " it is made anew."
            ) from error
        return network

    def _load(self) -> EfficientNetLite0:
        if self._network is None:
            from qmf.encoders.efficientnet import folded

            self._network = folded(self._pretrained()).to(placed(self.device))
        return self._network
