"""What an exported file says beside its graph: all that stands between data and the graph, and behind the graph."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from qmf.calibration import PatternCalibration
from qmf.data import DataSchema
from qmf.errors import ModelFolderError
from qmf.export.signature import Signature
from qmf.persistence import labels_document, labels_from
from qmf.preparation import ModalitySpec, Preparation

if TYPE_CHECKING:
    from pathlib import Path

    from qmf.estimator import QMFClassifier

__all__ = ["CELL_TYPES", "KEY", "ExportDocument"]

KEY = "qmf"
"""Under which an ONNX file keeps the document in its metadata."""

CELL_TYPES = ("vector", "numeric", "categorical")
"""Types of modalities that need no network before the graph."""

_FORMAT = "qmf-export-1"
_PARAMETERS = ("views", "modalities", "on_error", "random_state")
_SPEC = ("type", "columns")


@dataclass(frozen=True)
class ExportDocument:
    """Everything but the graph.

    Attributes
    ----------
    signature : Signature
        What the graph takes of each modality, and what makes that of files and texts.
    classes : ndarray [K]
        Class labels, in the order of the columns.
    parameters : dict
        Those parameters of `QMFClassifier` that say what X may be.
    schema : DataSchema or None
        Which columns of a file are which modality.
    preparation : Preparation or None
        Steps for raw values: of tables, to vectors; of files and texts, to the rows of the signature.
    calibration : PatternCalibration or None
        Where the classifier is calibrated.
    """

    signature: Signature
    classes: NDArray[Any]
    parameters: dict[str, Any]
    schema: DataSchema | None
    preparation: Preparation | None
    calibration: PatternCalibration | None

    @classmethod
    def of(cls, classifier: QMFClassifier, signature: Signature, schema: DataSchema | None) -> ExportDocument:
        """Describe a fitted classifier."""
        plain = classifier.plain_parameters()
        parameters = {name: plain[name] for name in _PARAMETERS}
        if parameters["modalities"] is not None:
            parameters["modalities"] = {name: _plain(spec) for name, spec in parameters["modalities"].items()}
        preparation = classifier.preparation_
        if preparation is not None:
            preparation = _without_encoders(preparation.specs, preparation.steps, signature)
        return cls(signature, classifier.classes_, parameters, schema, preparation, classifier.calibration_)

    def to_json(self) -> str:
        """Give it as text; arrays of the calibration as base64 of safetensors."""
        calibration = None
        if self.calibration is not None:
            from safetensors.numpy import save

            packed = base64.b64encode(save(self.calibration.to_arrays())).decode("ascii")
            calibration = {"seed": self.calibration.seed, "arrays": packed}
        return json.dumps(
            {
                "format": _FORMAT,
                **self.signature.document(),
                "labels": labels_document(self.classes),
                "parameters": self.parameters,
                "schema": None if self.schema is None else self.schema.to_document(),
                "preparation": None if self.preparation is None else _preparation_document(self.preparation),
                "calibration": calibration,
            }
        )

    @classmethod
    def from_json(cls, text: str | None, source: Path) -> ExportDocument:
        """Read what `to_json` gave; `source` is the file it stands in, for messages.

        Raises
        ------
        ModelFolderError
            If it is not one, or of another version.
        """
        try:
            document = json.loads(text or "")
            if document["format"] != _FORMAT:
                raise ModelFolderError(f"{source} has format {document['format']!r}: this version reads {_FORMAT!r}.")
            schema, preparation = document["schema"], document["preparation"]
            signature = Signature.read(document)
            return cls(
                signature,
                labels_from(document["labels"]),
                document["parameters"],
                None if schema is None else DataSchema.from_document(schema),
                None if preparation is None else _preparation(preparation, signature, source.parent),
                _calibration(document["calibration"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFolderError(
                f"{source} was not written by `qmf export` ({type(error).__name__}: {error}): export the model again."
            ) from error


def _calibration(document: dict[str, Any] | None) -> PatternCalibration | None:
    from safetensors.numpy import load

    if document is None:
        return None
    return PatternCalibration.from_arrays(load(base64.b64decode(document["arrays"])), document["seed"])


def _plain(spec: dict[str, Any]) -> dict[str, Any]:
    """Leave encoders out: they are in the graph, and their folders are those of this machine."""
    return spec if spec["type"] in CELL_TYPES else {key: spec[key] for key in _SPEC}


def _without_encoders(specs: dict[str, ModalitySpec], steps: dict[str, Any], signature: Signature) -> Preparation:
    """Give the steps with what the graph takes in the place of encoders."""
    encoded = {name for name, spec in specs.items() if spec.type not in CELL_TYPES}
    plain = {name: ModalitySpec.parse(name, _plain(vars(spec))) for name, spec in specs.items()}
    return Preparation(plain, {name: signature.inputs[name] if name in encoded else steps[name] for name in specs})


def _preparation_document(preparation: Preparation) -> dict[str, Any]:
    document = preparation.document()
    return {name: entry if _is_cell(entry) else {"spec": _plain(entry["spec"])} for name, entry in document.items()}


def _preparation(document: dict[str, Any], signature: Signature, folder: Path) -> Preparation:
    specs = {name: ModalitySpec.parse(name, entry["spec"]) for name, entry in document.items()}
    cells = {name: entry for name, entry in document.items() if _is_cell(entry)}
    return _without_encoders(specs, Preparation.load(cells, folder).steps, signature)


def _is_cell(entry: dict[str, Any]) -> bool:
    return entry["spec"]["type"] in CELL_TYPES
