"""Saving a fitted classifier to a model folder and loading it again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from qmf.calibration import PatternCalibration
from qmf.data import DataSchema
from qmf.errors import ModelFolderError
from qmf.model_folder import (
    ENCODERS_FOLDER,
    FORMAT_VERSION,
    ModelContents,
    read_manifest,
    read_model,
    write_model,
)
from qmf.preparation import ModalitySpec, Preparation

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Fitted", "ModelFolderMixin", "inconsistent", "labels_document", "labels_from", "load_schema", "read_fitted"]

_FITTED = ("n_features_in_", "feature_names_in_", "n_iter_")


class ModelFolderMixin:
    """`save` and `load` for a classifier with scikit-learn's parameters and a torch model."""

    if TYPE_CHECKING:
        model_: Any
        classes_: NDArray[Any]
        widths_: dict[str, int]
        n_features_in_: int
        preparation_: Preparation | None
        calibration_: PatternCalibration | None

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            """Give the parameters."""
            ...

        def restore(
            self,
            weights: dict[str, Tensor],
            classes: NDArray[Any],
            widths: dict[str, int],
            fitted: dict[str, Any],
            preparation: Preparation | None,
            calibration: PatternCalibration | None = None,
        ) -> None:
            """Become the classifier that the folder describes."""
            ...

    def save(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        schema: DataSchema | None = None,
        run_dir: str | Path | None = None,
    ) -> None:
        """Write a model folder (JSON and safetensors, no pickle), which appears whole or not at all.

        Parameters
        ----------
        path : str or Path
            The folder to make.
        overwrite : bool, default False
            Replace an older model folder at `path`. Anything else that stands there is never replaced.
        schema : DataSchema, optional
            Which columns of a file are which modality, so that files can be predicted without saying it again.
        run_dir : str or Path, optional
            Folder of the training run; moved into the model folder as ``training/``.

        Raises
        ------
        ConfigError
            If `path` exists and must not be replaced.
        NotFittedError
            If the classifier is not fitted.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "model_")
        fitted = {name: _plain(getattr(self, name)) for name in _FITTED if hasattr(self, name)}
        prepared = {} if self.preparation_ is None else self.preparation_.document()
        modalities = {
            name: {"type": prepared[name]["spec"]["type"] if prepared else "vector", "width": width}
            for name, width in self.widths_.items()
        }
        config = {"classifier": type(self).__name__, "parameters": self.plain_parameters(), "fitted": fitted}
        contents = ModelContents(
            weights=self.model_.state_dict(),
            config=config if self.calibration_ is None else config | {"calibration": {"seed": self.calibration_.seed}},
            preprocess={
                "modalities": modalities,
                "schema": None if schema is None else schema.to_document(),
                "preparation": prepared or None,
            },
            labels=labels_document(self.classes_),
            calibration={} if self.calibration_ is None else self.calibration_.to_arrays(),
        )
        write_model(
            contents,
            Path(path),
            overwrite=overwrite,
            run_dir=None if run_dir is None else Path(run_dir),
            save_encoders=None if self.preparation_ is None else self.preparation_.save_encoders,
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model folder written by `save`.

        Parameters
        ----------
        path : str or Path
            The folder.

        Returns
        -------
        QMFClassifier
            Fitted; predicts as the one that was saved. The history of its training is not kept in the folder.

        Raises
        ------
        ModelFolderError
            If the folder is missing, damaged, truncated, written by a newer format, or not a model folder.
        """
        fitted = read_fitted(Path(path))
        try:
            classifier = cls(**fitted.parameters)
            classifier.restore(
                fitted.weights, fitted.classes, fitted.widths, fitted.attributes, fitted.preparation, fitted.calibration
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise inconsistent(Path(path), error) from error
        return classifier

    def plain_parameters(self) -> dict[str, Any]:
        """Give the parameters in a form that JSON can hold."""
        parameters = dict(self.get_params(deep=False))
        if not isinstance(parameters["random_state"], int | None):
            parameters["random_state"] = None
        if parameters["views"] is not None:
            columns = range(self.n_features_in_)
            parameters["views"] = {
                name: list(columns[view]) if isinstance(view, slice) else _plain(view)
                for name, view in parameters["views"].items()
            }
        if parameters["modalities"] is not None:
            parameters["modalities"] = {
                name: asdict(ModalitySpec.parse(name, given)) for name, given in parameters["modalities"].items()
            }
        if parameters["class_weight"] is not None and not isinstance(parameters["class_weight"], str):
            # Pairs, since a JSON object has only strings for keys and labels may be numbers.
            weights = dict(parameters["class_weight"]).items()
            parameters["class_weight"] = {"pairs": [[_plain(label), float(weight)] for label, weight in weights]}
        return parameters


class Fitted(NamedTuple):
    """What a model folder says of a classifier, in the form that it has in memory.

    Attributes
    ----------
    parameters : dict
        Those of `QMFClassifier`.
    weights : dict of str to Tensor
        ``state_dict`` of the model.
    classes : ndarray [K]
        Class labels, sorted.
    widths : dict of str to int
        Modalities in order, with their number of features.
    attributes : dict
        Other fitted attributes by name.
    preparation : Preparation or None
        Encoders, where the model was trained on raw samples.
    calibration : PatternCalibration or None
        Where it was calibrated.
    schema : DataSchema or None
        Which columns of a file are which modality.
    """

    parameters: dict[str, Any]
    weights: dict[str, Tensor]
    classes: NDArray[Any]
    widths: dict[str, int]
    attributes: dict[str, Any]
    preparation: Preparation | None
    calibration: PatternCalibration | None
    schema: DataSchema | None


def read_fitted(path: Path) -> Fitted:
    """Read a model folder; raises as `ModelFolderMixin.load`."""
    contents = read_model(path)
    try:
        document, schema = contents.preprocess.get("preparation"), contents.preprocess["schema"]
        calibration = None  # as in folders written before there was any
        if contents.calibration:
            seed = contents.config["calibration"]["seed"]
            calibration = PatternCalibration.from_arrays(contents.calibration, seed)
        return Fitted(
            parameters=_parameters(contents.config["parameters"]),
            weights=contents.weights,
            classes=labels_from(contents.labels),
            widths={name: entry["width"] for name, entry in contents.preprocess["modalities"].items()},
            attributes={
                name: np.array(value, dtype=object) if isinstance(value, list) else value
                for name, value in contents.config["fitted"].items()
            },
            preparation=None if document is None else Preparation.load(document, path / ENCODERS_FOLDER),
            calibration=calibration,
            schema=None if schema is None else DataSchema.from_document(schema),
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise inconsistent(path, error) from error


def inconsistent(path: Path, error: Exception) -> ModelFolderError:
    """Give the error that says why a folder, whole as it is, makes no classifier."""
    version = read_manifest(path)["format_version"]
    if version < FORMAT_VERSION and isinstance(error, RuntimeError):  # its weights are not those of the model
        return ModelFolderError(
            f"{path} has format {version}, written by an earlier qmf, and today's models of the preset 'robust' hold"
            " typicality in another form: train the model again, or go on with that qmf (`qmf info` names it)."
        )
    return ModelFolderError(f"{path} does not fit together ({error}): train the model again.")


def labels_document(classes: NDArray[Any]) -> dict[str, Any]:
    """Give class labels [K] and their type in a form that JSON can hold."""
    return {"dtype": "str" if classes.dtype.kind in "UO" else str(classes.dtype), "classes": classes.tolist()}


def labels_from(document: dict[str, Any]) -> NDArray[Any]:
    """Give what `labels_document` was made from."""
    return np.array(document["classes"], dtype=np.dtype(document["dtype"]))


def load_schema(path: Path) -> DataSchema | None:
    """Give the data schema kept in a model folder; None if it was saved without one.

    Parameters
    ----------
    path : pathlib.Path
        The folder.

    Returns
    -------
    DataSchema or None
        Which columns of a file are which modality.

    Raises
    ------
    ModelFolderError
        As `ModelFolderMixin.load`.
    """
    document = read_model(path).preprocess["schema"]
    return None if document is None else DataSchema.from_document(document)


def _parameters(plain: dict[str, Any]) -> dict[str, Any]:
    weight = plain["class_weight"]
    return plain | {"class_weight": dict(weight["pairs"])} if isinstance(weight, dict) else plain


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return list(value) if isinstance(value, range | tuple) else value
