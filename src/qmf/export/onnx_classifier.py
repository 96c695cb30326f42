"""`OnnxClassifier`: an exported classifier, run by onnxruntime alone. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from qmf.answering import AnsweringMixin
from qmf.data import RawSamples, Samples
from qmf.errors import MissingDependencyError, ModelFolderError
from qmf.export.document import KEY, ExportDocument
from qmf.export.signature import Signature
from qmf.sample_input import SampleInputMixin
from qmf.types import FusionArrays, Prediction

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["OnnxClassifier", "open_session", "run_session"]

_NUMBERS = 1 << 26  # read at a time: 256 MB of pixels
_LARGE = 8_000_000  # bytes: a file of more has a network in it, which a second thread makes faster
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
        As those of `QMFClassifier`; widths are those of what goes into the graph, such as pixels.
    signature_ : Signature
        What the graph takes.
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
        self.signature_ = document.signature
        self.widths_, self.modalities_ = self.signature_.widths, tuple(self.signature_.inputs)
        self.classes_, self.calibration_ = document.classes, document.calibration
        self.preparation_, self.schema_ = document.preparation, document.schema
        self.workers, self.verbose, self.problems_ = 0, False, []
        for name, value in document.parameters.items():
            setattr(self, name, value)

    def predict_full(self, X: Any, *, risk: float | None = None) -> Prediction:
        """Predict as `QMFClassifier.predict_full`; of many files, some are read and predicted at a time."""
        given = self._given(X, None, fitting=False)
        step = max(1, _NUMBERS // sum(self.widths_.values()))
        if not isinstance(given, RawSamples) or len(given) <= step:
            return super().predict_full(given, risk=risk)
        starts = range(0, len(given), step)
        parts = [given.take(np.arange(start, min(start + step, len(given)))) for start in starts]
        return _joined([super(OnnxClassifier, self).predict_full(part, risk=risk) for part in parts])

    def _outputs(self, samples: Samples) -> FusionArrays:
        rows = [samples.features[name] for name in self.modalities_]
        given = run_session(self.model_, self.signature_, rows, samples.present, _READ)
        return FusionArrays(present=samples.present, **{name: given[name] for name in _READ})

    def _check_fitted(self) -> None:
        """Nothing to check: it was fitted when it was exported."""

    def _seed(self) -> int:
        return int(self.random_state or 0)


def _joined(parts: list[Prediction]) -> Prediction:
    """Put the predictions of consecutive parts together."""
    names = {field.name for field in fields(Prediction)} - {"classes", "modalities"}
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(parts[0], **columns)


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
    if path.stat().st_size < _LARGE:  # small operations: a second thread doubles the time of one sample
        options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own, by what is wrong
        raise ModelFolderError(f"{path} can not be read as an ONNX file ({error}).") from error


def run_session(
    session: InferenceSession,
    signature: Signature,
    rows: list[NDArray[np.floating]],
    present: NDArray[np.bool_],
    names: Sequence[str] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Give the outputs of the graph, all or those of some names, for M arrays of rows [N, D_m] and `present` [N, M]."""
    names = names or [node.name for node in session.get_outputs()]
    feeds = (dict(zip(signature.names, arrays, strict=True)) for arrays in signature.batches(rows, present))
    parts = [session.run(names, feed) for feed in feeds]
    return {name: np.concatenate(column) for name, column in zip(names, zip(*parts, strict=True), strict=True)}
