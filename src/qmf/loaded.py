"""`LoadedClassifier`: a model folder that is asked and not trained; it takes neither scikit-learn nor training."""

from __future__ import annotations

from pathlib import Path

from qmf.answering import AnsweringMixin
from qmf.assembly import build_model, in_double, run_model
from qmf.data import Samples
from qmf.persistence import inconsistent, read_fitted
from qmf.sample_input import SampleInputMixin
from qmf.types import FusionArrays

__all__ = ["LoadedClassifier"]


class LoadedClassifier(SampleInputMixin, AnsweringMixin):
    """Answers as the `QMFClassifier` that was saved. X is not a bare 2-D array: `QMFClassifier.load` takes those.

    Parameters
    ----------
    path : str or Path
        Model folder.

    Attributes
    ----------
    classes_, modalities_, widths_, calibration_, preparation_, model_
        As those of `QMFClassifier`.
    schema_ : DataSchema or None
        Which columns of a file are which modality.

    Raises
    ------
    ModelFolderError
        As `QMFClassifier.load`.
    """

    def __init__(self, path: str | Path) -> None:
        fitted = read_fitted(Path(path))
        self.classes_, self.widths_, self.modalities_ = fitted.classes, fitted.widths, tuple(fitted.widths)
        self.preparation_, self.calibration_ = fitted.preparation, fitted.calibration
        self.schema_, self.problems_ = fitted.schema, []
        self.random_state: int | None = fitted.parameters["random_state"]
        self.views, self.modalities = fitted.parameters["views"], fitted.parameters["modalities"]
        self.on_error, self.workers = fitted.parameters["on_error"], fitted.parameters["workers"]
        self.verbose = fitted.parameters["verbose"]
        shape = ("preset", "uncertainty", "weighting", "hidden", "dropout")
        self.model_ = build_model(
            self.widths_,
            len(self.classes_),
            backbones={} if self.preparation_ is None else self.preparation_.backbones(),
            **{name: fitted.parameters[name] for name in shape},
        )
        try:
            self.model_.load_state_dict(fitted.weights)
        except RuntimeError as error:
            raise inconsistent(Path(path), error) from error
        self._predictor = in_double(self.model_.eval())

    def _outputs(self, samples: Samples) -> FusionArrays:
        return run_model(self._predictor, samples).to_arrays()

    def _check_fitted(self) -> None:
        """Nothing to check: it was fitted when it was saved."""

    def _seed(self) -> int:
        return int(self.random_state or 0)
