"""`Preparation`: every modality's step from raw values to vectors, fitted, applied, saved and loaded together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from qmf.data import RawModality, RawSamples, Samples
from qmf.data.samples import assemble
from qmf.encoders.frozen import FrozenEncoder
from qmf.encoders.registry import open_encoder
from qmf.errors import ConfigError, DataError, ModelFolderError
from qmf.feature_cache import encode_cached
from qmf.preparation.cells import CategoricalStep, NumericStep, VectorStep
from qmf.preparation.spec import ModalitySpec

__all__ = ["Preparation", "Problem", "listed"]

_CELLS: dict[str, Any] = {"vector": VectorStep, "numeric": NumericStep, "categorical": CategoricalStep}
_LISTED = 100

Progress = Callable[[str, int, int], None]
"""Called with (modality, values done, values in all)."""


@dataclass(frozen=True)
class Problem:
    """A value that is there and cannot be read.

    Attributes
    ----------
    row : int
        Position of the sample.
    sample : str
        What a person finds it by: line or row, and id.
    modality : str
        Its name.
    reason : str
        What is wrong.
    """

    row: int
    sample: str
    modality: str
    reason: str


class Preparation:
    """Steps from raw samples to vectors, one per modality.

    Parameters
    ----------
    specs : dict of str to ModalitySpec
        Modalities, in order.
    steps : dict of str to step
        For cells of a table a fitted step of `qmf.preparation.cells`; for all others a frozen encoder.
    """

    def __init__(self, specs: dict[str, ModalitySpec], steps: dict[str, Any]) -> None:
        self.specs, self.steps = specs, steps

    @classmethod
    def fit(cls, raw: RawSamples, specs: Mapping[str, ModalitySpec]) -> Preparation:
        """Open the encoders, and learn from training samples what tables need (means, categories).

        Parameters
        ----------
        raw : RawSamples
            Training samples.
        specs : mapping of str to ModalitySpec
            A modality of `raw` that is not in it gets its type's default encoder.

        Returns
        -------
        Preparation
            Fitted.

        Raises
        ------
        ConfigError
            If an encoder does not exist, or a modality is specified that the samples do not have.
        """
        return cls.fit_parts(lambda: iter([raw]), specs)

    @classmethod
    def fit_parts(cls, parts: Callable[[], Iterator[RawSamples]], specs: Mapping[str, ModalitySpec]) -> Preparation:
        """As `fit`, from training samples that come in parts.

        Parameters
        ----------
        parts : callable
            Goes through all parts, each of the same modalities; only numbers and categories take more than the first.
        specs : mapping of str to ModalitySpec
            As in `fit`.
        """
        raw = next(parts())
        unknown = [name for name in specs if name not in raw.modalities]
        if unknown:
            raise ConfigError(f"{raw.source}: no modality {unknown[0]!r}; there are {', '.join(raw.modalities)}.")
        chosen = {name: specs.get(name, ModalitySpec.parse(name, m.type)) for name, m in raw.modalities.items()}
        for name, modality in raw.modalities.items():
            if chosen[name].type != modality.type:
                raise ConfigError(f"{raw.source}: modality {name!r} is {modality.type}, not {chosen[name].type}.")
        cells = {name: _CELLS[spec.type] for name, spec in chosen.items() if spec.type in _CELLS}
        summaries: dict[str, list[Any]] = {name: [] for name in cells}
        for part in parts() if any(step is not VectorStep for step in cells.values()) else [raw]:
            for name, step in cells.items():
                summaries[name].append(step.summary(part.modalities[name]))
        steps: dict[str, Any] = {
            name: cells[name].fit(summaries[name], raw.modalities[name].columns)
            if name in cells
            else _opened(spec, None)
            for name, spec in chosen.items()
        }
        return cls(chosen, steps)

    def __call__(
        self,
        raw: RawSamples,
        *,
        on_error: Literal["raise", "absent"] = "raise",
        workers: int = 0,
        progress: Progress | None = None,
    ) -> tuple[Samples, list[Problem]]:
        """Give the vectors of samples.

        Parameters
        ----------
        raw : RawSamples
            With modalities of the training samples, or some of them.
        on_error : {"raise", "absent"}
            What a value means that is there and cannot be read.
        workers : int, default 0
            Processes that read files.
        progress : callable, optional
            See `Progress`.

        Returns
        -------
        samples : Samples
            With the same ids and labels.
        problems : list of Problem
            What could not be read, and counts as absent.

        Raises
        ------
        DataError
            If something cannot be read and `on_error` is "raise", naming all of it; if a modality is unknown, or a
            sample has none at all.
        ConfigError
            If `on_error` is neither.
        """
        if on_error not in ("raise", "absent"):
            raise ConfigError(f"on_error={on_error!r}: expected 'raise' or 'absent'.")
        problems: list[Problem] = []
        matrices: dict[str, tuple[NDArray[Any], None]] = {}
        for name, modality in raw.modalities.items():
            if name not in self.steps:
                raise DataError(f"{raw.source}: modality {name!r} was not in training, with {', '.join(self.steps)}.")
            values, unreadable = self._apply(name, modality, raw.source, workers, progress)
            matrices[name] = (values, None)
            problems += [Problem(i, raw.origin.sample(i), name, why) for i, why in sorted(unreadable.items())]
        if problems and on_error == "raise":
            raise DataError(
                f"{raw.source}: {len(problems)} values cannot be read:\n{listed(problems)}\nMend them, leave them out,"
                " or count them as absent (on_error: absent)."
            )
        origin = raw.origin if raw.origin.ids is not None else replace(raw.origin, ids=raw.ids)
        return assemble(matrices, raw.labels, origin, label_name="label"), problems

    def _apply(
        self, name: str, modality: RawModality, source: str, workers: int, progress: Progress | None
    ) -> tuple[NDArray[Any], dict[int, str]]:
        step, problems = self.steps[name], dict[int, str]()
        if modality.type != self.specs[name].type:
            raise DataError(f"{source}: modality {name!r} is {modality.type}; in training: {self.specs[name].type}.")
        if modality.type in _CELLS:
            try:
                return step(modality), problems
            except DataError as error:
                raise DataError(f"{source}, modality {name!r}: {error}") from error
        report = None if progress is None else lambda done, total: progress(name, done, total)
        limit = None if getattr(step, "cached", True) else 0
        values = encode_cached(step, modality.values, workers=workers, problems=problems, progress=report, limit=limit)
        return values, problems

    @property
    def widths(self) -> dict[str, int]:
        """Number of features of each modality."""
        return {name: step.width if hasattr(step, "width") else step.out_features for name, step in self.steps.items()}

    def backbones(self) -> dict[str, Any]:
        """Give the networks that are trained with the model, for the modalities that have one."""
        made = {name: step.backbone() for name, step in self.steps.items() if hasattr(step, "backbone")}
        return {name: network for name, network in made.items() if network is not None}

    def document(self) -> dict[str, Any]:
        """Give everything but the encoders' files, as JSON can hold it.

        Raises
        ------
        ConfigError
            If an encoder was given as an object, which no other process could find.
        """
        for name, spec in self.specs.items():
            if not isinstance(spec.encoder, str | None):
                raise ConfigError(
                    f"modality {name!r}: its encoder was given as an object, which cannot be saved with the model; give"
                    " it by name, as 'package.module:name'."
                )
        return {
            name: {
                "spec": asdict(self.specs[name]),
                "step": asdict(step) if self.specs[name].type in _CELLS else {"fingerprint": step.fingerprint},
            }
            for name, step in self.steps.items()
        }

    def save_encoders(self, folder: Path) -> None:
        """Copy each encoder's files into ``folder/<modality>``, so that the model needs nothing else to predict."""
        for name, step in self.steps.items():
            if hasattr(step, "save"):
                step.save(folder / name)

    @classmethod
    def load(cls, document: Mapping[str, Any], folder: Path) -> Preparation:
        """Read what `document` and `save_encoders` gave.

        Parameters
        ----------
        document : mapping
            From `document`.
        folder : pathlib.Path
            From `save_encoders`.

        Returns
        -------
        Preparation
            Fitted.

        Raises
        ------
        ModelFolderError
            If an encoder is not the one the model was trained with.
        """
        specs = {name: ModalitySpec.parse(name, entry["spec"]) for name, entry in document.items()}
        steps: dict[str, Any] = {}
        for name, spec in specs.items():
            step = document[name]["step"]
            if spec.type in _CELLS:
                steps[name] = _CELLS[spec.type](**{key: _tuples(value) for key, value in step.items()})
                continue
            own = folder / name
            steps[name] = _opened(spec, own if own.is_dir() else None)
            if steps[name].fingerprint != step["fingerprint"]:
                raise ModelFolderError(
                    f"modality {name!r}: the encoder {spec.encoder!r} here is not the one the model was trained with"
                    " (another version of it, or of qmf): train the model again."
                )
        return cls(specs, steps)


def listed(problems: list[Problem]) -> str:
    """Give problems for people, one per line."""
    lines = [f"  {p.sample}, modality {p.modality!r}: {p.reason}" for p in problems[:_LISTED]]
    return "\n".join(lines + ([f"  and {len(problems) - _LISTED} more"] if len(problems) > _LISTED else []))


def _opened(spec: ModalitySpec, folder: Path | None) -> FrozenEncoder:
    tune = {} if spec.tune == "frozen" else {"tune": spec.tune}
    return open_encoder(spec.type, spec.encoder, spec.options | tune, folder)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
