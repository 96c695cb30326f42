"""Exporting: to ONNX or ``.pt2``, checked first, written last."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qmf.data import DataSchema, Samples
from qmf.errors import ConfigError, DataError, MissingDependencyError
from qmf.estimator import QMFClassifier
from qmf.export.checking import Checked, check_outputs
from qmf.export.document import KEY, ExportDocument
from qmf.export.graph import OUTPUTS, ServedModel, input_names
from qmf.export.onnx_classifier import open_session, run_session
from qmf.export.quantisation import quantise
from qmf.export.quiet import quiet
from qmf.files import atomic_path

__all__ = ["Exported", "export"]

_EXAMPLES = 3  # rows the graph is traced with; 1 would be taken for a constant


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    checked : Checked
        How it was compared with the classifier.
    accuracy, int8_accuracy : float or None
        Of the classifier, and of the file if it is in INT8; None where not asked for.
    """

    checked: Checked
    accuracy: float | None = None
    int8_accuracy: float | None = None


def export(
    classifier: QMFClassifier,
    path: Path,
    samples: Samples,
    *,
    schema: DataSchema | None = None,
    int8: bool = False,
) -> Exported:
    """Write a classifier as an ONNX file or a ``.pt2`` archive, if it computes the same.

    Parameters
    ----------
    classifier : QMFClassifier
        Fitted, on vectors, numbers and categories.
    path : pathlib.Path
        Ends in ``.onnx`` or ``.pt2``.
    samples : Samples
        Real ones, with the modalities of training, to compare with.
    schema : DataSchema, optional
        Which columns of a file are which modality.
    int8 : bool, default False
        Weights of encoders and heads in INT8 (ONNX only): smaller, and no longer the same. `samples` then need labels.

    Returns
    -------
    Exported
        What was compared and, in INT8, what it costs.

    Raises
    ------
    ConfigError
        If the ending is another one, a package is missing, or the model cannot be exported.
    DataError
        If labels are needed and not there.
    RunError
        If what was exported does not compute what the classifier does; nothing is written.
    """
    if path.suffix not in (".onnx", ".pt2"):
        raise ConfigError(f"{path}: expected a name ending in .onnx or .pt2.")
    if int8 and path.suffix == ".pt2":
        raise ConfigError(f"{path}: INT8 is for .onnx.")
    if int8 and samples.labels is None:
        raise DataError(f"{samples.source}: no labels; what INT8 costs can not be measured without.")
    document = ExportDocument.of(classifier, schema)
    model = ServedModel(copy.deepcopy(classifier.model_).cpu().eval(), classifier.calibration_).requires_grad_(False)
    arguments, shapes = _example(samples), _shapes(samples)
    if path.suffix == ".pt2":
        return _to_pt2(model, arguments, shapes, document, classifier, path, samples)
    return _to_onnx(model, arguments, shapes, document, classifier, path, samples, int8=int8)


def _to_pt2(
    model: ServedModel,
    arguments: Any,
    shapes: Any,
    document: ExportDocument,
    classifier: QMFClassifier,
    path: Path,
    samples: Samples,
) -> Exported:
    with quiet():
        program = torch.export.export(model, arguments, dynamic_shapes=shapes, strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    checked = check_outputs(_running(program.module()), classifier, samples)
    with atomic_path(path) as temporary, quiet():
        torch.export.save(program, temporary, extra_files={f"{KEY}.json": document.to_json()})
    return Exported(checked)


def _to_onnx(
    model: ServedModel,
    arguments: Any,
    shapes: Any,
    document: ExportDocument,
    classifier: QMFClassifier,
    path: Path,
    samples: Samples,
    *,
    int8: bool,
) -> Exported:
    try:
        import onnx
        import onnxscript  # noqa: F401  # torch.onnx needs it
    except ImportError as error:
        raise MissingDependencyError(
            f"exporting to ONNX takes the package {error.name}: pip install 'qmf[onnx]'"
        ) from error
    with quiet():
        program = torch.onnx.export(
            model,
            arguments,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=input_names(samples.modalities),
            output_names=list(OUTPUTS),
        )
    if program is None:  # its type says that it may be
        raise ConfigError("torch.onnx gave no graph.")
    graph = program.model_proto
    for node in graph.graph.node:
        del node.metadata_props[:]  # lines of source code, with paths of this machine
    entry = graph.metadata_props.add()
    entry.key, entry.value = KEY, document.to_json()
    with atomic_path(path) as temporary:
        onnx.save(graph, temporary)
        session = open_session(temporary)
        checked = check_outputs(lambda x, present: run_session(session, x, present), classifier, samples)
        if not int8:
            return Exported(checked)
        accuracy = quantise(temporary, classifier, samples)
    return Exported(checked, *accuracy)


def _example(samples: Samples) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """Give zeros to trace with: a ``.pt2`` archive keeps them, and real samples are nobody else's."""
    inputs = tuple(torch.zeros(_EXAMPLES, x.shape[1]) for x in samples.features.values())
    return inputs, torch.ones(_EXAMPLES, len(inputs), dtype=torch.bool)


def _shapes(samples: Samples) -> tuple[tuple[dict[int, Any], ...], dict[int, Any]]:
    batch = torch.export.Dim("batch", min=1, max=1 << 24)
    return tuple({0: batch} for _ in samples.modalities), {0: batch}


def _running(module: Any) -> Callable[[list[NDArray[Any]], NDArray[np.bool_]], dict[str, NDArray[Any]]]:
    def run(inputs: list[NDArray[Any]], present: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            given = module(tuple(torch.from_numpy(x).float() for x in inputs), torch.from_numpy(present))
        return {name: tensor.numpy() for name, tensor in zip(OUTPUTS, given, strict=True)}

    return run
