"""Whatever X is, it becomes samples: vectors as they are, raw values through the encoders."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from qmf.data import ModalityColumns, RawSamples, Samples, from_arrays, raw_from_memory, samples_of_vectors
from qmf.errors import DataError
from qmf.preparation import ModalitySpec, Preparation, Problem, encoding_progress, listed

__all__ = ["SampleInputMixin"]


class SampleInputMixin:
    """Takes every form of X that `QMFClassifier` describes."""

    if TYPE_CHECKING:
        views: Any
        modalities: Any
        on_error: Any
        workers: int
        verbose: bool
        preparation_: Preparation | None
        problems_: list[Problem]

    def _samples(self, X: Any, y: ArrayLike | None, *, fitting: bool) -> Samples:
        return self._encoded(self._given(X, y, fitting=fitting), fitting=fitting)

    def _encoded(self, given: Samples | RawSamples, *, fitting: bool) -> Samples:
        return self._prepared(given, fitting=fitting) if isinstance(given, RawSamples) else given

    def _given(self, X: Any, y: ArrayLike | None, *, fitting: bool) -> Samples | RawSamples:
        """Give X in one of the two forms that all others become."""
        if isinstance(X, Samples):
            return X if y is None else X.with_labels(y)
        if isinstance(X, RawSamples):
            return X
        if fitting and y is None:
            raise DataError("QMFClassifier requires y to be passed, but the target y is None.")
        if self.modalities is not None:
            places = {name: ModalityColumns(spec.columns, type=spec.type) for name, spec in self._specs().items()}
            if not fitting and isinstance(X, Mapping):
                places = {name: place for name, place in places.items() if name in X}
            return raw_from_memory(X, y, places)
        if isinstance(X, Mapping):
            return from_arrays(X if fitting else _without_all_none(X), y)
        if self.views is not None:
            return from_arrays(X, y, views=self.views)
        from sklearn.utils.validation import validate_data  # slow to import, and files are never in this form

        options: dict[str, Any] = {"reset": fitting, "ensure_all_finite": False, "dtype": np.float64}
        checked = validate_data(self, X, **options) if y is None else validate_data(self, X, y, **options)
        return from_arrays(checked) if y is None else from_arrays(checked[0], checked[1])

    def _specs(self) -> dict[str, ModalitySpec]:
        return {name: ModalitySpec.parse(name, given) for name, given in (self.modalities or {}).items()}

    def _prepared(self, raw: RawSamples, *, fitting: bool) -> Samples:
        """Encode raw samples; what cannot be read is kept in `problems_` while fitting, warned of otherwise."""
        if fitting and self.preparation_ is None:
            self.preparation_ = Preparation.fit(raw, self._specs())
        if self.preparation_ is None:
            return samples_of_vectors(raw)
        samples, problems = self._encoded_raw(raw)
        if fitting:
            self.problems_ += problems
        elif problems:
            warnings.warn(
                f"{raw.source}: {len(problems)} values cannot be read and count as absent:\n{listed(problems)}",
                UserWarning,
                stacklevel=4,
            )
        return samples

    def _encoded_raw(self, raw: RawSamples) -> tuple[Samples, list[Problem]]:
        assert self.preparation_ is not None
        with encoding_progress(shown=self.verbose) as progress:
            return self.preparation_(raw, on_error=self.on_error, workers=self.workers, progress=progress)

    def _validation_samples(self, validation: Any) -> Samples:
        if isinstance(validation, RawSamples):
            return self._prepared(validation, fitting=True)
        return validation if isinstance(validation, Samples) else self._samples(*validation, fitting=False)


def _without_all_none(X: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out modalities that are None in every sample: their width is known from training."""
    return {name: x for name, x in X.items() if not (isinstance(x, list) and x and all(item is None for item in x))}
