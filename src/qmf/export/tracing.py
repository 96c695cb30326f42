"""Tracing the graph, by torch.export and torch.onnx."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from qmf.errors import ConfigError
from qmf.export.graph import ServedModel
from qmf.export.quiet import quiet
from qmf.export.signature import Signature

__all__ = ["trace_onnx", "trace_program"]

_EXAMPLES = 3  # rows the graph is traced with; 1 would be taken for a constant
_LARGEST = 2_000_000_000  # bytes of weights: protobuf ends at 2^31

Arguments = tuple[tuple[torch.Tensor, ...], torch.Tensor]


def trace_program(model: ServedModel, signature: Signature) -> torch.export.ExportedProgram:
    """Give the graph by torch.export, without anything of this machine in it.

    Raises
    ------
    ConfigError
        If a network cannot be followed, with the name of its modality.
    """
    arguments, shapes = _example(signature), _shapes(signature)
    program: torch.export.ExportedProgram = _named(
        model, signature, lambda: torch.export.export(model, arguments, dynamic_shapes=shapes, strict=False)
    )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program


def trace_onnx(model: ServedModel, signature: Signature) -> Any:
    """Give the graph as an ONNX model, without anything of this machine in it.

    Raises
    ------
    ConfigError
        As `trace_program`; and if the weights are more than an ONNX file can hold.
    """
    size = sum(tensor.nbytes for tensor in model.state_dict().values())
    if size > _LARGEST:
        raise ConfigError(f"{size / 1e9:.1f} GB of weights: an ONNX file holds up to 2 GB, a .pt2 archive any number.")
    program = _named(
        model,
        signature,
        lambda: torch.onnx.export(model, _example(signature), dynamo=True, dynamic_shapes=_shapes(signature)),
    )
    if program is None:  # its type says that it may be
        raise ConfigError("torch.onnx gave no graph.")
    _rename(program.model.graph, signature)
    graph = program.model_proto
    for node in graph.graph.node:
        del node.metadata_props[:]  # lines of source code, with paths of this machine
    return graph


def _rename(graph: Any, signature: Signature) -> None:
    """Name what goes in and comes out; what is called so within the graph, such as "view" or "add", gives way."""
    ends = [*graph.inputs, *graph.outputs]
    names = [*signature.names, *signature.outputs]
    within = [*graph.initializers.values(), *(value for node in graph for value in node.outputs)]
    for value in [*ends, *(value for value in within if value.name in names)]:
        value.name = f"{value.name}_within"
    for value, name in zip(ends, names, strict=True):
        value.name = name


def _named(model: ServedModel, signature: Signature, trace: Callable[[], Any]) -> Any:
    """Trace; where that fails, find out at which modality."""
    try:
        with quiet():
            return trace()
    except Exception as error:  # torch raises classes of its own, by what it cannot follow
        names = [name for m, name in enumerate(signature.inputs) if not _can_be_traced(model, signature, m)]
        where = f"the network of modality {names[0]!r}" if names else "the model"
        raise ConfigError(
            f"{where} can not be exported ({_reason(error)}). Encode first and train on the vectors, or use the model"
            " folder."
        ) from error


def _reason(error: BaseException) -> str:
    """Give the first line of what was raised first: exporters wrap errors in advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _can_be_traced(model: ServedModel, signature: Signature, m: int) -> bool:
    (inputs, _), (shapes, _) = _example(signature), _shapes(signature)
    counts = [len(given.parts) for given in signature.inputs.values()]
    own = slice(sum(counts[:m]), sum(counts[: m + 1]))
    alone = nn.Sequential(_Unpacked(model.networks[m]), model.model.encoders[m])
    try:
        with quiet():
            torch.export.export(alone, (inputs[own],), dynamic_shapes=(shapes[own],), strict=False)
    except Exception:  # which, does not matter here
        return False
    return True


class _Unpacked(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        h: torch.Tensor = self.network(*inputs)
        return h


def _example(signature: Signature) -> Arguments:
    """Give zeros to trace with: a ``.pt2`` archive keeps them, and real samples are nobody else's."""
    rows = [np.zeros((_EXAMPLES, width), dtype=np.float32) for width in signature.widths.values()]
    present = np.ones((_EXAMPLES, len(rows)), dtype=bool)
    *inputs, there = map(torch.from_numpy, signature.arrays(rows, present))
    return tuple(inputs), there


def _shapes(signature: Signature) -> tuple[tuple[dict[int, Any], ...], dict[int, Any]]:
    batch = torch.export.Dim("batch", min=1, max=1 << 24)
    shapes: list[dict[int, Any]] = []
    for m, given in enumerate(signature.inputs.values()):
        length = None if given.longest is None else torch.export.Dim(f"length_{m}", min=1, max=given.longest)
        shapes += [{0: batch} if length is None else {0: batch, 1: length}] * len(given.parts)
    return tuple(shapes), {0: batch}
