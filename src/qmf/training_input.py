"""What `fit` is given becomes what is trained on and what validates; samples that come in parts go by the disk."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmf.data import (
    RawSamples,
    SampleParts,
    Samples,
    encode_labels,
    holdout_split,
    match_modalities,
    open_samples,
    samples_of_vectors,
    store_samples,
)
from qmf.errors import ConfigError
from qmf.files import atomic_write_text
from qmf.preparation import Preparation, Problem, damaged_copies, vectors_as_raw, with_copies
from qmf.sample_input import SampleInputMixin
from qmf.subset import Subset
from qmf.training.processes import is_main_process

__all__ = ["TrainingInputMixin"]

_PROBLEMS = "unreadable.jsonl"


class TrainingInputMixin(SampleInputMixin):
    """Takes `SampleParts` too, holds samples out and adds damaged copies."""

    if TYPE_CHECKING:
        preparation_: Preparation | None
        classes_: NDArray[Any]
        widths_: dict[str, int]
        validation_fraction: float
        augmentation: Sequence[Mapping[str, str]] | None

    def _stored(self, given: SampleParts, run_dir: Path | None, name: str) -> Samples:
        """Give samples that stand in ``run_dir/name``: from an interrupted run of the same data, or written now."""
        if run_dir is None:
            raise ConfigError(f"{given.source}: samples in parts are kept on disk while training; give run_dir.")
        if self.augmentation:
            raise ConfigError(
                f"{given.source}: augmentation needs all samples in memory: leave it out, or do not read them in parts."
            )
        if self.preparation_ is None and _needs_encoders(given):
            self.preparation_ = Preparation.fit_parts(given.read, self._specs())
        prepared = None if self.preparation_ is None else self.preparation_.document()
        folder, key = run_dir / name, repr((given.key, prepared, self.on_error))
        if is_main_process() and open_samples(folder, key) is None:
            with _removed_if_it_fails(folder):
                parts = self._encoded_parts(given, folder / _PROBLEMS)
                store_samples(parts, folder, key, written=given.written, named=given.named)
        # If the first process fails, the others are ended from outside.
        while (samples := open_samples(folder, key)) is None:
            time.sleep(0.2)
        lines = (folder / _PROBLEMS).read_text(encoding="utf-8").splitlines()
        self.problems_ += [Problem(**json.loads(line)) for line in lines]
        return samples

    def _encoded_parts(self, given: SampleParts, problems: Path) -> Iterator[Samples]:
        """Encode part by part, and write at last what could not be read, for a run that goes on after a stop."""
        first, found = 0, list[Problem]()
        for part in given.read():
            if self.preparation_ is None:
                yield samples_of_vectors(part)
                continue
            samples, unreadable = self._encoded_raw(part)
            found += [replace(problem, row=problem.row + first) for problem in unreadable]
            first += len(part)
            yield samples
        atomic_write_text(problems, "".join(json.dumps(asdict(problem)) + "\n" for problem in found))

    def _hold_out(
        self, samples: Samples, validation: Any, seed: int, folder: Path | None
    ) -> tuple[Subset, Subset | None]:
        """Give what is trained on and what validates; labels are positions in `classes_`."""
        if validation is not None:
            if isinstance(validation, SampleParts):
                validation = self._stored(validation, folder, "validation")
            given = match_modalities(self._validation_samples(validation), self.widths_)
            held_out = replace(given, labels=encode_labels(given, self.classes_))
            return Subset.of_all(samples), Subset.of_all(held_out)
        if not 0 <= self.validation_fraction < 1:
            raise ConfigError(f"validation_fraction={self.validation_fraction!r}: expected a number in [0, 1).")
        kept, held = holdout_split(np.asarray(samples.labels), self.validation_fraction, seed)
        if self.validation_fraction and not len(held):
            warnings.warn(
                f"no class has enough samples to hold out a share of {self.validation_fraction}: training to the last"
                " epoch without a validation set. Give validation=(X, y), or set validation_fraction=0.",
                UserWarning,
                stacklevel=3,
            )
        return Subset(samples, kept), Subset(samples, held) if len(held) else None

    def _augmented(self, kept: Subset, given: Samples | RawSamples, seed: int) -> Subset:
        """Give the samples that are trained on, and their damaged copies."""
        if not self.augmentation:
            return kept
        training = kept.copied()
        raw = given.take(kept.rows) if isinstance(given, RawSamples) else vectors_as_raw(training)
        copies = damaged_copies(raw, self.augmentation, seed=seed)
        return Subset.of_all(with_copies(training, copies, lambda copy: self._prepared(copy, fitting=True)))


@contextmanager
def _removed_if_it_fails(folder: Path) -> Iterator[None]:
    """Leave nothing of samples that could not be written, nor the run's folder if nothing else is there."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()
        raise


def _needs_encoders(given: SampleParts) -> bool:
    return any(modality.type != "vector" for modality in next(given.read()).modalities.values())
