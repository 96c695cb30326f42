"""INT8: smaller files and faster products, at a cost in accuracy that is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qmf.data import RawSamples, Samples, encode_labels
from qmf.estimator import QMFClassifier
from qmf.export.onnx_classifier import OnnxClassifier
from qmf.export.quiet import quiet

__all__ = ["quantise"]

_SPARED = ".typicality."  # distances in many directions do not survive it


def quantise(path: Path, classifier: QMFClassifier, samples: Samples | RawSamples) -> tuple[float, float]:
    """Bring the weights of encoders and heads of an ONNX file to INT8, in place.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    classifier : QMFClassifier
        What it was exported from.
    samples : Samples or RawSamples
        With labels.

    Returns
    -------
    before, after : float
        Accuracy on the samples.

    Raises
    ------
    DataError
        If the samples have no labels.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target = encode_labels(samples, classifier.classes_)

    def accuracy() -> float:
        return float((OnnxClassifier(path).predict_proba(samples).argmax(axis=1) == target).mean())

    before, model = accuracy(), onnx.load(path)
    with quiet():
        quantize_dynamic(
            model,
            path,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_spared(model),
            op_types_to_quantize=["MatMul", "Gemm"],
        )
    return before, accuracy()


def _spared(model: Any) -> list[str]:
    """Give the names of the matrix products that stay as they are."""
    return [node.name for node in model.graph.node if any(_SPARED in name for name in node.input)]
