"""A user's own function or network as an encoder."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qmf.encoders.graph_inputs import GraphInput, Squares, Waves
from qmf.encoders.graph_networks import AsRows, Called
from qmf.encoders.pictures import DepthReader, Fit, ImageReader
from qmf.encoders.sounds import AudioReader
from qmf.encoders.text_values import as_texts
from qmf.errors import ConfigError, DataError

if TYPE_CHECKING:
    from qmf.encoders.tuned import Tune

__all__ = ["OwnEncoder"]

_BATCH = 32


class OwnEncoder:
    """Features by a callable or an `nn.Module` of the user's.

    It is called with a batch of what the readers of `qmf` give (pictures and depth maps uint8 [n, size, size, 3],
    sounds float32 [n, T], a list of n texts) and gives [n, D]. A module gets tensors, in evaluation and without
    gradients; where it is trained, pictures are floats from 0 to 255.

    Parameters
    ----------
    function : callable or nn.Module
        The user's.
    kind : {"image", "depth", "audio", "text"}
        What it encodes.
    size, fit, max_depth
        As in `ImageReader` and `DepthReader`.
    sample_rate, seconds
        As in `AudioReader`.
    tune : {"frozen", "full"}
        "full": a module is trained with the model, on inputs held in memory; not for texts.

    Attributes
    ----------
    kind, out_features, fingerprint, reader
        As in every encoder. Features of a function are not cached: nobody can tell whether it has changed.

    Raises
    ------
    ConfigError
        If `function` cannot be called, gives no numbers [n, D], or an option does not fit.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        kind: str,
        *,
        size: int = 224,
        fit: Fit = "squash",
        max_depth: float | None = None,
        sample_rate: int = 16_000,
        seconds: float = 4.0,
        tune: Tune = "frozen",
    ) -> None:
        if not callable(function):
            raise ConfigError(f"{function!r} is no encoder: expected a name, a callable or an nn.Module.")
        is_module = isinstance(function, nn.Module)
        if tune not in ("frozen", "full") or (tune == "full" and (kind == "text" or not is_module)):
            raise ConfigError(f"tune={tune!r}: an encoder of your own is frozen, or, if it is an nn.Module, full.")
        self.kind, self.tune, self._function = kind, tune, function
        self.cached = is_module and tune == "frozen"
        if kind == "audio":
            self.reader: Any = AudioReader(sample_rate, seconds)
            self._shape: tuple[int, ...] = (round(sample_rate * seconds),)
        elif kind == "text":
            self.reader, self._shape = _one_text, ()
        else:
            self.reader = ImageReader(size, fit) if kind == "image" else DepthReader(size, fit, max_depth)
            self._shape = (size, size, 3)
        self._width = self._called([""] if kind == "text" else [np.zeros(self._shape, self._dtype)]).shape[1]
        self.out_features = self._width if tune == "frozen" else int(np.prod(self._shape))
        self.fingerprint = _fingerprint(function, kind, repr(self.reader), tune)

    @property
    def _dtype(self) -> type:
        return np.float32 if self.kind == "audio" else np.uint8

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """Give features [n, D] of n values."""
        return self.forward([self.reader(value) for value in values])

    def forward(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """Give features [n, D] of what the reader gave; where tuned, that itself, flattened.

        Raises
        ------
        DataError
            If the user's function gives another number of rows or columns than before.
        """
        if not len(prepared):
            return np.zeros((0, self.out_features), dtype=np.float32)
        if self.tune == "full":
            return np.asarray(prepared, dtype=np.float32).reshape(len(prepared), -1)
        blocks = [prepared[start : start + _BATCH] for start in range(0, len(prepared), _BATCH)]
        parts = [self._called(block) for block in blocks]
        for block, part in zip(blocks, parts, strict=True):
            if part.shape != (len(block), self._width):
                raise DataError(
                    f"{_name(self._function)} gave {part.shape} for {len(block)} values, {self._width} wide"
                )
        return np.concatenate(parts)

    def backbone(self) -> nn.Module | None:
        """Give the module that is trained with the model; None where it is frozen."""
        if self.tune == "frozen" or not isinstance(self._function, nn.Module):
            return None
        return _OnRows(self._function, self._shape, self._width)

    def graph_input(self) -> GraphInput:
        """Give what stands before `network`.

        Raises
        ------
        ConfigError
            If it is no network, or one of texts, which takes no tensors.
        """
        if self.kind == "text" or not isinstance(self._function, nn.Module):
            what = "takes texts" if self.kind == "text" else "is a function"
            raise ConfigError(f"its encoder {_name(self._function)} {what}, which no graph holds")
        if self.kind == "audio":
            return Waves(self.reader)
        return Squares(self.kind, self.reader)

    def network(self) -> nn.Module:
        """Give the module from what the reader gives to what `encode` gives, where `graph_input` raises nothing."""
        return Called(self._function) if self.tune == "frozen" else AsRows()  # type: ignore[arg-type]

    def _called(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        batch: Any = list(prepared) if self.kind == "text" else np.stack(prepared)
        try:
            if isinstance(self._function, nn.Module):
                with torch.inference_mode():
                    batch = batch if self.kind == "text" else torch.from_numpy(batch)
                    given = self._function.eval()(batch)
            else:
                given = self._function(batch)
            features = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given, dtype=np.float32)
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ConfigError(f"{_name(self._function)}, called with {self._called_with()}: {error}") from error
        if features.ndim != 2 or not features.shape[1]:
            raise ConfigError(f"{_name(self._function)} gave an array of shape {features.shape}: expected [n, D].")
        return features

    def _called_with(self) -> str:
        what = {"text": "a list of texts", "audio": f"float32 [n, {self._shape[0] if self._shape else 0}]"}
        return what.get(self.kind, f"uint8 {['n', *self._shape]}")


class _OnRows(nn.Module):
    """A module on flattened inputs; in float32 even where the model predicts in float64: it may call ``.float()``."""

    def __init__(self, module: nn.Module, shape: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.module, self.shape, self.out_features = copy.deepcopy(module), shape, width

    def forward(self, x: Tensor) -> Tensor:
        """Give features [B, width] of rows [B, D]."""
        h: Tensor = self.module(x.unflatten(1, self.shape).float())
        return h.to(x.dtype)

    def _apply(self, fn: Any, recurse: bool = True) -> _OnRows:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for tensor in [*self.module.parameters(), *self.module.buffers()]:
            if tensor.dtype == torch.float64:
                tensor.data = tensor.data.float()
        return self


def _one_text(value: Any) -> str:
    return as_texts([value])[0]


def _name(function: Any) -> str:
    owner = function if hasattr(function, "__qualname__") else type(function)
    return f"{owner.__module__}.{owner.__qualname__}"


def _fingerprint(function: Any, kind: str, reader: str, tune: str) -> str:
    hasher = hashlib.sha256(json.dumps([1, _name(function), kind, reader, tune]).encode())
    if isinstance(function, nn.Module):
        for name, tensor in function.state_dict().items():
            hasher.update(name.encode() + tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return hasher.hexdigest()
