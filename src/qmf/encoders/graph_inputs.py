"""What stands before the network of an exported model: from files and texts to the tensors that its graph takes.

Imports no torch: predicting with an exported model takes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qmf.encoders.pictures import DepthReader, ImageReader
from qmf.encoders.sounds import AudioReader

if TYPE_CHECKING:
    Tensors = tuple[NDArray[Any], ...]

__all__ = ["GraphInput", "Squares", "Vectors", "Waves", "read_graph_input"]


class GraphInput(Protocol):
    """One modality on its way into a graph: value to row, rows to tensors.

    Rows are what samples hold, float32 [n, D]. Encoders that can be exported have ``graph_input()``, which gives one of
    these, and ``network()``, the module from its tensors to what their ``encode`` gives.

    Attributes
    ----------
    kind, out_features, fingerprint, cached
        As those of a frozen encoder, whose place it takes where there is no torch.
    parts : tuple of str
        What follows the modality's name in the names of its tensors; ``("",)`` where there is one.
    longest : int or None
        Where the tensors' second dimension is free: the largest it may be.
    at_once : int
        Rows that go through the graph together: bounds the memory, changes no result.
    """

    kind: str
    out_features: int
    fingerprint: str
    cached: bool = False  # reading a picture costs as much as reading its pixels from a cache
    parts: tuple[str, ...] = ("",)
    longest: int | None = None
    at_once: int = 16

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give rows [n, out_features] of n values."""
        ...

    def tensors(self, rows: NDArray[np.floating], there: NDArray[np.bool_]) -> Tensors:
        """Give the graph's tensors, one for each of `parts`, of rows [n, D]; where `there` [n] is False, of nothing."""
        ...

    def document(self) -> dict[str, Any]:
        """Give it as JSON can hold it, under ``input`` its name for `read_graph_input`."""
        ...


class Vectors(GraphInput):
    """Vectors of D numbers, as they are: float32 [n, D]."""

    kind, fingerprint, at_once = "vector", "vectors", 512

    def __init__(self, width: int) -> None:
        self.out_features = width

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give the vectors [n, D]."""
        return np.asarray(values, dtype=np.float32)

    def tensors(self, rows: NDArray[np.floating], there: NDArray[np.bool_]) -> Tensors:
        """Give the vectors alone."""
        return (rows.astype(np.float32, copy=False),)

    def document(self) -> dict[str, Any]:
        """Give the width."""
        return {"input": "vectors", "width": self.out_features}


class Squares(GraphInput):
    """Pictures or depth maps as squares of pixels: uint8 [n, size, size, 3].

    Parameters
    ----------
    kind : str
        "image" or "depth".
    reader : ImageReader or DepthReader
        From a file to a square.
    """

    def __init__(self, kind: str, reader: ImageReader | DepthReader) -> None:
        self.kind, self.reader, self.out_features = kind, reader, 3 * reader.size**2
        self.fingerprint = f"squares-{reader!r}"

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give pixels [n, 3 size^2] of n pictures; see `ImageReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give pixels [n, 3 size^2], 0 to 255, of n squares."""
        return np.asarray(prepared, dtype=np.float32).reshape(len(prepared), self.out_features)

    def tensors(self, rows: NDArray[np.floating], there: NDArray[np.bool_]) -> Tensors:
        """Give the squares."""
        return (rows.astype(np.uint8).reshape(len(rows), self.reader.size, self.reader.size, 3),)

    def document(self) -> dict[str, Any]:
        """Give the reader's parameters."""
        return {"input": "squares", "kind": self.kind, "reader": asdict(self.reader)}


class Waves(GraphInput):
    """Sounds as waveforms of one rate and length: float32 [n, T].

    Parameters
    ----------
    reader : AudioReader
        From a file to a waveform.
    """

    kind = "audio"

    def __init__(self, reader: AudioReader) -> None:
        self.reader, self.out_features = reader, round(reader.sample_rate * reader.seconds)
        self.fingerprint = f"waves-{reader!r}"

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give waveforms [n, T] of n sounds; see `AudioReader` for what they may be and what is raised."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Give waveforms [n, T]."""
        return np.stack(prepared) if len(prepared) else np.zeros((0, self.out_features), dtype=np.float32)

    def tensors(self, rows: NDArray[np.floating], there: NDArray[np.bool_]) -> Tensors:
        """Give the waveforms."""
        return (rows.astype(np.float32, copy=False),)

    def document(self) -> dict[str, Any]:
        """Give the reader's parameters."""
        return {"input": "waves", "reader": asdict(self.reader)}


def read_graph_input(document: Mapping[str, Any]) -> GraphInput:
    """Read what `GraphInput.document` gave.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    name = document["input"]
    if name == "vectors":
        return Vectors(document["width"])
    if name == "squares":
        reader = {"image": ImageReader, "depth": DepthReader}[document["kind"]]
        return Squares(document["kind"], reader(**document["reader"]))
    if name == "waves":
        return Waves(AudioReader(**document["reader"]))
    if name == "word-pieces":
        from qmf.encoders.word_pieces import WordPieces

        return WordPieces.read(document)
    if name == "hashed-words":
        from qmf.encoders.hashing_words import HashedWords

        return HashedWords(document["width"])
    raise ValueError(f"input {name!r} is not known")
