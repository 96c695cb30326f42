"""`OnnxClassifier`: an exported classifier, run by onnxruntime alone. Nothing here imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from qmf.answering import AnsweringMixin
from qmf.data import Samples
from qmf.errors import MissingDependencyError, ModelFolderError
from qmf.export.document import KEY, ExportDocument
from qmf.sample_input import SampleInputMixin
from qmf.types import FusionArrays

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["OnnxClassifier", "run_session"]

_ROWS = 512  # per run: bounds the memory, changes no result, and more at once are no faster
_READ = [name for name in FusionArrays._fields if name != "present"]


class OnnxClassifier(SampleInputMixin, AnsweringMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """A classifier that `qmf export` wrote: answers as `QMFClassifier`, and cannot be trained.

    Parameters
    ----------
    path : str or Path
        The ONNX file.

    Attributes
    ----------
    classes_, modalities_, widths_, calibration_, preparation_
        As those of `QMFClassifier`.
    schema_ : DataSchema or None
        Which columns of a file are which modality.

    Raises
    ------
    ModelFolderError
        If the file is missing, damaged, or was not written by `qmf export`.
    MissingDependencyError
        If onnxruntime is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.model_ = open_session(Path(path))
        text = self.model_.get_modelmeta().custom_metadata_map.get(KEY)
        document = ExportDocument.from_json(text, Path(path))
        self.widths_, self.modalities_ = document.widths, tuple(document.widths)
        self.classes_, self.calibration_ = document.classes, document.calibration
        self.preparation_, self.schema_ = document.preparation, document.schema
        self.workers, self.verbose, self.problems_ = 0, False, []
        for name, value in document.parameters.items():
            setattr(self, name, value)

    def _outputs(self, samples: Samples) -> FusionArrays:
        inputs = [samples.features[name] for name in self.modalities_]
        given = run_session(self.model_, inputs, samples.present)
        return FusionArrays(present=samples.present, **{name: given[name] for name in _READ})

    def _check_fitted(self) -> None:
        """Nothing to check: it was fitted when it was exported."""

    def _seed(self) -> int:
        return int(self.random_state or 0)


def open_session(path: Path) -> InferenceSession:
    """Open an ONNX file; raises as `OnnxClassifier`."""
    if not path.is_file():
        raise ModelFolderError(f"{path} does not exist: expected an ONNX file written by `qmf export`.")
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "predicting with an ONNX file takes onnxruntime: pip install 'qmf[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # graphs of small operations: a second thread doubles the time of one sample
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own, by what is wrong
        raise ModelFolderError(f"{path} can not be read as an ONNX file ({error}).") from error


def run_session(
    session: InferenceSession, inputs: list[NDArray[Any]], present: NDArray[np.bool_]
) -> dict[str, NDArray[np.float32]]:
    """Give every output of the graph for M arrays [N, D_m] and `present` [N, M]."""
    names = [node.name for node in session.get_inputs()]
    outputs = [node.name for node in session.get_outputs()]
    parts = []
    for start in range(0, len(present), _ROWS):
        rows = slice(start, start + _ROWS)
        arrays = [*(x[rows].astype(np.float32, copy=False) for x in inputs), present[rows]]
        parts.append(session.run(outputs, dict(zip(names, arrays, strict=True))))
    return {name: np.concatenate(column) for name, column in zip(outputs, zip(*parts, strict=True), strict=True)}
