"""Pictures for a small network that is trained from scratch with the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from qmf.encoders.graph_inputs import Squares
from qmf.encoders.pictures import DepthReader, Fit, ImageReader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["SmallPictures"]


class SmallPictures:
    """Gives the pixels of small pictures, on which a `SmallCNN` is trained; needs no pretrained weights.

    Parameters
    ----------
    kind : {"image", "depth"}
        Depth maps are read by `DepthReader`.
    size : int
        Pixels on each side. Pixels are held in memory: 12 size^2 bytes a picture.
    fit : {"squash", "crop"}
        As in `ImageReader`.
    max_depth : float, optional
        As in `DepthReader`.

    Attributes
    ----------
    kind, out_features, fingerprint, reader
        As in `ImageFeatures`; ``out_features = 3 size^2``.
    """

    cached = False  # reading a picture costs as much as reading its pixels from a cache

    def __init__(
        self,
        *,
        kind: Literal["image", "depth"] = "image",
        size: int = 64,
        fit: Fit = "squash",
        max_depth: float | None = None,
    ) -> None:
        self.kind, self.size = kind, size
        self.reader = ImageReader(size, fit) if kind == "image" else DepthReader(size, fit, max_depth)
        self.out_features = 3 * size * size
        self.fingerprint = f"pixels-1-{self.reader!r}"

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give pixels [n, 3 size^2] of n pictures; see `ImageReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give pixels [n, 3 size^2], 0 to 255, of n squares."""
        return self.graph_input().forward(prepared)

    def graph_input(self) -> Squares:
        """Give what stands before `network`."""
        return Squares(self.kind, self.reader)

    def network(self) -> nn.Module:
        """Give the module from squares to what `encode` gives: nothing but their numbers."""
        from qmf.encoders.graph_networks import AsRows

        return AsRows()

    def backbone(self) -> nn.Module:
        """Give the network that is trained on the pixels."""
        from qmf.encoders.image_tuning import FlatPictures, SmallCNN

        return FlatPictures(SmallCNN(), self.size)
