"""The data of a benchmark: made once for every seed and condition, kept in a folder, shared by all methods."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from qmf.benchmark.conditions import CLEAN, VECTOR_SUITE, Condition, damaged_part, missing_patterns
from qmf.benchmark.digits import load_digit_pairs
from qmf.benchmark.doubted import VALUES_FILE
from qmf.benchmark.gas_drift import load_gas_drift
from qmf.benchmark.part import Part
from qmf.benchmark.recipe import Recipe
from qmf.data import DataSchema, ModalityColumns, RawSamples, Samples, read_raw, read_samples
from qmf.datasets import load_handwritten, load_named
from qmf.errors import ConfigError, DataError
from qmf.files import atomic_path, atomic_write_text
from qmf.preparation import Damage, ModalitySpec, Preparation, damaged
from qmf.randomness import keyed_generator

__all__ = ["SeedData", "Task", "load_seed", "prepare_task"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What is classified.

    Attributes
    ----------
    modalities : tuple of str
        In order.
    widths : tuple of int
        Number of features of each.
    classes : tuple of str
        Names.
    conditions : tuple of Condition
        Test situations, the clean one first.
    num_train, num_test : int
        Of the first seed.
    """

    modalities: tuple[str, ...]
    widths: tuple[int, ...]
    classes: tuple[str, ...]
    conditions: tuple[Condition, ...]
    num_train: int
    num_test: int


@dataclass(frozen=True)
class SeedData:
    """Training samples, and test samples by the name of the condition."""

    training: Part
    tests: dict[str, Part]


def prepare_task(recipe: Recipe, seeds: Sequence[int], folder: Path, say: Say) -> Task:
    """Make the data of all seeds, those that are not there yet.

    Parameters
    ----------
    recipe : Recipe
        What on.
    seeds : sequence of int
        Each has its split (where the data have no official one) and its damage.
    folder : pathlib.Path
        ``seed-S.safetensors`` goes there.
    say : callable
        Told what takes time.

    Returns
    -------
    Task
        What is classified.

    Raises
    ------
    ConfigError, DataError
        If the recipe's data are not there or not as described.
    """
    maker = _RawData(recipe, say) if _is_raw(recipe) else _VectorData(recipe)
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        path = folder / f"seed-{seed}.safetensors"
        if not path.exists():
            say(f"making the data of seed {seed}: {len(maker.conditions)} damaged copies of the test samples")
            _save(path, *maker.of_seed(seed))
    if isinstance(maker, _RawData) and not (folder / VALUES_FILE).exists():
        atomic_write_text(folder / VALUES_FILE, json.dumps(_shown_values(maker.raw_test), ensure_ascii=False))
    first = load_seed(folder, seeds[0], (CLEAN,))
    features, names = first.training.features, tuple(first.training.features)
    conditions = (*maker.conditions, *missing_patterns(names))
    widths = tuple(x.shape[1] for x in features.values())
    return Task(names, widths, maker.classes, conditions, len(first.training), len(first.tests[CLEAN.name]))


def load_seed(folder: Path, seed: int, conditions: Sequence[Condition]) -> SeedData:
    """Read what `prepare_task` wrote for one seed."""
    path = folder / f"seed-{seed}.safetensors"
    try:
        with safe_open(path, framework="np") as file:
            ids = {key: np.array(json.loads(value)) for key, value in file.metadata().items()}
            stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # not a mapping
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}; delete it, and the benchmark makes it anew.") from error

    def part(name: str, base: Part | None) -> Part:
        prefix = f"{name}/features/"
        given = {key.removeprefix(prefix): x for key, x in stored.items() if key.startswith(prefix)}
        features = given if base is None else {n: given.get(n, x) for n, x in base.features.items()}
        if base is None:
            order = [str(n) for n in ids["modalities"]]
            features = {n: features[n] for n in order}
        present, target, hit = (stored[f"{name}/{what}"] for what in ("present", "target", "damaged"))
        return Part(features, present, target, hit, ids["train" if name == "train" else "test"])

    training, clean = part("train", None), part("clean", None)
    tests = {}
    for condition in conditions:
        if condition.missing or condition.name == CLEAN.name:
            tests[condition.name] = damaged_part(clean, training, condition, seed) if condition.missing else clean
        else:
            tests[condition.name] = part(condition.name, clean)
    return SeedData(training, tests)


class _VectorData:
    """Feature views: the suite of `VECTOR_SUITE`."""

    conditions = VECTOR_SUITE

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        data = recipe.data
        self.fixed: tuple[Samples, Samples] | None = None
        self.whole: Samples | None = None
        if data.built_in == "digits":
            self.fixed = load_digit_pairs(_folder(recipe))
        elif data.built_in == "gas-drift":
            self.fixed = load_gas_drift(_folder(recipe))
        elif data.built_in is None:
            self._read()
        whole = load_handwritten() if data.built_in == "handwritten" else self.whole
        labels = whole.labels if whole is not None else np.concatenate([s.labels for s in self.fixed or ()])
        self.names = np.unique(np.asarray(labels))
        self.classes = tuple(map(str, self.names.tolist()))

    def _read(self) -> None:
        data = self.recipe.data
        modalities = {
            name: ModalityColumns(tuple(entry.columns) or (name,), entry.transpose, entry.type)
            for name, entry in data.modalities.items()
        }
        schema = DataSchema(modalities, data.label, data.id)
        parts = [read_samples(source, schema, require_label=True) for source in (data.train, data.test) if source]
        if len(parts) == 2:
            self.fixed = parts[0], parts[1]
        elif parts:
            self.whole = parts[0]
        else:
            raise ConfigError(f"{self.recipe.name}: data.train is empty: give a file, or data.built_in.")

    def of_seed(self, seed: int) -> tuple[Part, dict[str, Part]]:
        """Give training samples, and test samples by condition."""
        training, test = (self._part(samples) for samples in self._split(seed))
        return training, {c.name: damaged_part(test, training, c, seed) for c in self.conditions}

    def _split(self, seed: int) -> tuple[Samples, Samples]:
        if self.fixed is not None:
            return self.fixed
        if self.whole is None:
            return load_handwritten("train", seed=seed), load_handwritten("test", seed=seed)
        tested = _tested(np.asarray(self.whole.labels), self.recipe, seed)
        return self.whole.take(~tested), self.whole.take(tested)

    def _part(self, samples: Samples) -> Part:
        target = np.searchsorted(self.names, np.asarray(samples.labels)).astype(np.int64)
        return Part(samples.features, samples.present, target, np.zeros_like(samples.present), samples.ids)


class _RawData:
    """Pictures, texts, sounds: damaged before the encoder, which keeps its features in the cache."""

    def __init__(self, recipe: Recipe, say: Say) -> None:
        data = recipe.data
        if not data.train:
            raise ConfigError(f"{recipe.name}: data.train is empty: give a table.")
        self.say = say
        self.conditions = (CLEAN, *(_raw_condition(entry) for entry in recipe.conditions))
        raw_train = _raw(data.train, recipe)
        if data.test:
            self.raw_test = _raw(data.test, recipe)
        else:  # the same split for all seeds: what is damaged before the encoder is encoded once
            tested = _tested(np.asarray(raw_train.labels), recipe, 0)
            raw_train, self.raw_test = raw_train.take(np.flatnonzero(~tested)), raw_train.take(np.flatnonzero(tested))
        specs = {
            n: ModalitySpec.parse(n, entry.model_dump(exclude={"transpose"})) for n, entry in data.modalities.items()
        }
        self.prepare = Preparation.fit(raw_train, specs)
        for name in self.prepare.backbones():
            raise ConfigError(
                f"{recipe.name}: modality {name!r}: its encoder {specs[name].encoder!r} is trained with the model, but"
                " methods are compared on the same features; expected one that is frozen, with tune: frozen."
            )
        say(f"encoding {len(raw_train)} training samples")
        labels = np.concatenate([np.asarray(raw_train.labels), np.asarray(self.raw_test.labels)])
        self.names = np.unique(labels)
        self.classes = tuple(map(str, self.names.tolist()))
        self.training = self._part(raw_train)

    def of_seed(self, seed: int) -> tuple[Part, dict[str, Part]]:
        """Give training samples, and test samples by condition."""
        tests: dict[str, Part] = {}
        for condition in self.conditions:
            self.say(f"  encoding: {condition.name}, seed {seed}")
            chosen = {name: Damage.parse(text) for name, text in condition.damages.items()}
            raw = damaged(self.raw_test, chosen, seed=seed) if chosen else self.raw_test
            part = self._part(raw)
            hit = np.zeros_like(part.present)
            for m, name in enumerate(part.features):
                hit[:, m] = _changed(raw.modalities[name].values, self.raw_test.modalities[name].values)
            tests[condition.name] = replace(part, damaged=hit)
        return self.training, tests

    def _part(self, raw: RawSamples) -> Part:
        samples, _ = self.prepare(raw)
        target = np.searchsorted(self.names, np.asarray(raw.labels)).astype(np.int64)
        return Part(samples.features, samples.present, target, np.zeros_like(samples.present), samples.ids)


def _tested(labels: NDArray[Any], recipe: Recipe, seed: int) -> NDArray[np.bool_]:
    """Say which samples are held out for testing: a share of each class, at least one."""
    tested = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = keyed_generator(seed, "split", str(label)).permutation(np.flatnonzero(labels == label))
        tested[rows[: max(1, round(len(rows) * recipe.data.test_share))]] = True
    return tested


def _raw_condition(entry: Any) -> Condition:
    return Condition(entry.name, entry.family or entry.name, entry.severity, damages=dict(entry.damages))


def _raw(source: str, recipe: Recipe) -> RawSamples:
    if source.count(":") == 2 and not Path(source).exists():
        return load_named(source)
    modalities = {
        name: ModalityColumns(tuple(entry.columns) or (name,), entry.transpose, entry.type)
        for name, entry in recipe.data.modalities.items()
    }
    return read_raw(source, DataSchema(modalities, recipe.data.label, recipe.data.id), require_label=True)


def _is_raw(recipe: Recipe) -> bool:
    return any(entry.type != "vector" for entry in recipe.data.modalities.values())


def _folder(recipe: Recipe) -> Path:
    if not recipe.data.train or not Path(recipe.data.train).is_dir():
        raise DataError(f"{recipe.name}: no folder {recipe.data.train!r}. {recipe.data.where}")
    return Path(recipe.data.train)


def _changed(after: Any, before: Any) -> NDArray[np.bool_]:
    if isinstance(after, np.ndarray):
        # NaN, of numbers and among categories, is what does not equal itself.
        same = (after == before) | ((after != after) & (before != before))
        return np.asarray(~same.astype(bool).reshape(len(same), -1).all(axis=1))
    return np.array([a is not b and a != b for a, b in zip(after, before, strict=True)], dtype=bool)


def _shown_values(raw: RawSamples) -> dict[str, Any]:
    """Give where the pictures of the test samples are and what their texts say, by position, for the report."""
    values: dict[str, dict[str, dict[str, str]]] = {}
    for name, modality in raw.modalities.items():
        if modality.type == "text":
            values[name] = {str(i): {"text": v} for i, v in enumerate(modality.values) if isinstance(v, str)}
        elif modality.type in ("image", "depth"):
            paths = enumerate(getattr(v, "source", v) for v in modality.values)
            values[name] = {str(i): {"path": str(v)} for i, v in paths if isinstance(v, str | Path)}
    return {"ids": {str(i): key for i, key in enumerate(raw.ids.tolist())}, "values": values}


def _save(path: Path, training: Part, tests: dict[str, Part]) -> None:
    clean = tests[CLEAN.name]
    arrays: dict[str, NDArray[Any]] = {}
    for name, part in {"train": training, **tests}.items():
        for modality, x in part.features.items():
            if name in ("train", CLEAN.name) or x is not clean.features[modality]:
                arrays[f"{name}/features/{modality}"] = np.ascontiguousarray(x, dtype=np.float32)
        arrays |= {f"{name}/{what}": getattr(part, what) for what in ("present", "target", "damaged")}
    texts = {"train": training.ids.tolist(), "test": clean.ids.tolist(), "modalities": list(clean.features)}
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, {key: json.dumps(value) for key, value in texts.items()})
