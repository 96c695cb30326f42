"""What an exported file says beside its graph: all that stands between a table and the graph, and behind the graph."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from qmf.calibration import PatternCalibration
from qmf.data import DataSchema
from qmf.errors import ConfigError, ModelFolderError
from qmf.persistence import labels_document, labels_from
from qmf.preparation import Preparation

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


@dataclass(frozen=True)
class ExportDocument:
    """Everything but the graph.

    Attributes
    ----------
    widths : dict of str to int
        Modalities, in order, with their number of features.
    classes : ndarray [K]
        Class labels, in the order of the columns.
    parameters : dict
        Those parameters of `QMFClassifier` that say what X may be.
    schema : DataSchema or None
        Which columns of a file are which modality.
    preparation : Preparation or None
        Steps for the cells of a table.
    calibration : PatternCalibration or None
        Where the classifier is calibrated.
    """

    widths: dict[str, int]
    classes: NDArray[Any]
    parameters: dict[str, Any]
    schema: DataSchema | None
    preparation: Preparation | None
    calibration: PatternCalibration | None

    @classmethod
    def of(cls, classifier: QMFClassifier, schema: DataSchema | None) -> ExportDocument:
        """Describe a fitted classifier.

        Raises
        ------
        ConfigError
            If a modality goes through a network before the graph: pictures, texts, sounds.
        """
        preparation = classifier.preparation_
        for name, spec in ({} if preparation is None else preparation.specs).items():
            if spec.type not in CELL_TYPES:
                raise ConfigError(
                    f"modality {name!r} is {spec.type}: what is exported are models on {', '.join(CELL_TYPES)}."
                    " Encode it first and train on its vectors, or serve the model folder."
                )
        plain = classifier.plain_parameters()
        parameters = {name: plain[name] for name in _PARAMETERS}
        return cls(classifier.widths_, classifier.classes_, parameters, schema, preparation, classifier.calibration_)

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
                "widths": self.widths,
                "labels": labels_document(self.classes),
                "parameters": self.parameters,
                "schema": None if self.schema is None else self.schema.to_document(),
                "preparation": None if self.preparation is None else self.preparation.document(),
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
            return cls(
                document["widths"],
                labels_from(document["labels"]),
                document["parameters"],
                None if schema is None else DataSchema.from_document(schema),
                None if preparation is None else Preparation.load(preparation, source.parent),
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
