"""Exporting: to ONNX or ``.pt2``, checked first, written last."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qmf.data import DataSchema, RawSamples, Samples, match_modalities
from qmf.encoders.graph_inputs import Vectors
from qmf.errors import ConfigError, DataError, MissingDependencyError
from qmf.estimator import QMFClassifier
from qmf.export.checking import Checked, check_outputs, few
from qmf.export.document import KEY, ExportDocument
from qmf.export.graph import ServedModel
from qmf.export.networks import networks_before
from qmf.export.onnx_classifier import open_session, run_session
from qmf.export.quantisation import quantise
from qmf.export.quiet import quiet
from qmf.export.signature import Signature
from qmf.export.tracing import trace_onnx, trace_program
from qmf.files import atomic_path

__all__ = ["Exported", "export"]


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
    samples: Samples | RawSamples,
    *,
    schema: DataSchema | None = None,
    int8: bool = False,
) -> Exported:
    """Write a classifier as an ONNX file or a ``.pt2`` archive, if it computes the same.

    Parameters
    ----------
    classifier : QMFClassifier
        Fitted.
    path : pathlib.Path
        Ends in ``.onnx`` or ``.pt2``.
    samples : Samples or RawSamples
        Real ones, with the modalities of training, to compare with; raw where a modality goes through an encoder.
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
        If labels are needed and not there, or vectors are given where raw samples are needed.
    RunError
        If what was exported does not compute what the classifier does; nothing is written.
    """
    if path.suffix not in (".onnx", ".pt2"):
        raise ConfigError(f"{path}: expected a name ending in .onnx or .pt2.")
    if int8 and path.suffix == ".pt2":
        raise ConfigError(f"{path}: INT8 is for .onnx.")
    if int8 and samples.labels is None:
        raise DataError(f"{samples.source}: no labels; what INT8 costs can not be measured without.")
    signature, networks = networks_before(classifier)
    document = ExportDocument.of(classifier, signature, schema)
    chosen = few(samples)
    given = classifier.prepare(chosen), _rows(chosen, classifier, document)
    model = ServedModel(signature, networks, classifier.model_, classifier.calibration_)
    model = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    if path.suffix == ".pt2":
        return _to_pt2(model, document, classifier, path, given)
    return _to_onnx(model, document, classifier, path, given, samples if int8 else None)


def _rows(samples: Samples | RawSamples, classifier: QMFClassifier, document: ExportDocument) -> Samples:
    """Give the samples as what stands before the graph takes them."""
    if isinstance(samples, RawSamples) and document.preparation is not None:
        prepared, _ = document.preparation(samples, on_error=classifier.on_error)
        return match_modalities(prepared, document.signature.widths)
    encoded = [name for name, given in document.signature.inputs.items() if not isinstance(given, Vectors)]
    if encoded:
        raise DataError(
            f"{samples.source}: vectors, but modality {encoded[0]!r} is exported with its encoder; give files and texts"
            " (RawSamples) to compare with."
        )
    return classifier.prepare(samples)


def _to_pt2(
    model: ServedModel,
    document: ExportDocument,
    classifier: QMFClassifier,
    path: Path,
    given: tuple[Samples, Samples],
) -> Exported:
    program = trace_program(model, document.signature)
    checked = check_outputs(_running(program.module(), document.signature), document.signature, classifier, *given)
    with atomic_path(path) as temporary, quiet():
        torch.export.save(program, temporary, extra_files={f"{KEY}.json": document.to_json()})
    return Exported(checked)


def _to_onnx(
    model: ServedModel,
    document: ExportDocument,
    classifier: QMFClassifier,
    path: Path,
    given: tuple[Samples, Samples],
    labelled: Samples | RawSamples | None,
) -> Exported:
    try:
        import onnx
        import onnxscript  # noqa: F401  # torch.onnx needs it
    except ImportError as error:
        raise MissingDependencyError(
            f"exporting to ONNX takes the package {error.name}: pip install 'qmf[onnx]'"
        ) from error
    graph = trace_onnx(model, document.signature)
    entry = graph.metadata_props.add()
    entry.key, entry.value = KEY, document.to_json()
    with atomic_path(path) as temporary:
        onnx.save(graph, temporary)
        session = open_session(temporary)
        run = partial(run_session, session, document.signature)
        checked = check_outputs(run, document.signature, classifier, *given)
        if labelled is None:
            return Exported(checked)
        accuracy = quantise(temporary, classifier, labelled)
    return Exported(checked, *accuracy)


def _running(
    module: Any, signature: Signature
) -> Callable[[list[NDArray[np.floating]], NDArray[np.bool_]], dict[str, NDArray[Any]]]:
    def run(rows: list[NDArray[np.floating]], present: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        parts = []
        for arrays in signature.batches(rows, present):
            *inputs, there = map(torch.from_numpy, arrays)
            with torch.inference_mode():
                parts.append([tensor.numpy() for tensor in module(tuple(inputs), there)])
        columns = zip(signature.outputs, zip(*parts, strict=True), strict=True)
        return {name: np.concatenate(column) for name, column in columns}

    return run
