"""The configuration of `qmf fit`: one schema for the YAML file, ``--set a.b=c`` and ``qmf schema``."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from string import Template
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from qmf.errors import ConfigError, DataError

__all__ = ["Config", "DataConfig", "apply_overrides", "parse_config", "read_config"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


class ModalityConfig(_Section):
    """What a modality is and where it stands in the data."""

    type: Literal["image", "text", "depth", "audio", "numeric", "categorical", "vector"] = Field(
        "vector", description="What the cells hold: paths of files (image, depth, audio), text, or numbers."
    )
    columns: list[str] = Field(
        [],
        description="Column names or patterns such as 'fou_*'; for NPZ and MAT files the one key of its array. By"
        " default the column of the modality's name.",
    )
    transpose: bool = Field(False, description="For arrays held as features x samples.")
    encoder: str | None = Field(
        None,
        description="image, depth: efficientnet-lite0; text: all-MiniLM-L6-v2, hashed-words; audio: log-mel; or any"
        " transformers model (folder or hub name), or package.module:Class.",
    )
    tune: Literal["frozen", "last-block", "full"] = Field("frozen", description="What of the encoder is trained.")
    options: dict[str, Any] = Field({}, description="Keyword arguments of the encoder.")

    @field_validator("columns", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class DataConfig(_Section):
    """What to train on."""

    train: str = Field(
        description="A file (CSV, Parquet, JSONL, NPZ, MAT); shards: a folder or pattern of Parquet files or of"
        " WebDataset tars; a folder with a sub-folder of pictures per class; a built-in name such as 'handwritten'; or"
        " a known data set as NAME:FOLDER:SPLIT, 'mvsa:${QMF_DATA}/mvsa:train'."
    )
    validation: str | None = Field(None, description="Held-out data; by default a share of `train` is held out.")
    modalities: dict[str, ModalityConfig] = Field({}, description="Modality name to what it is; empty for built-ins.")
    label: str = Field("label", description="Column or key of the label.")
    id: str | None = Field(None, description="Column of the sample id; by default the row number.")
    streaming: bool = Field(
        False,
        description="Read CSV, Parquet and JSONL files some rows at a time, and keep what is trained on beside the"
        " model while it is trained, not in memory. Shards are always read so.",
    )
    on_error: Literal["raise", "absent"] = Field("raise", description="What a value means that cannot be read.")
    workers: int | None = Field(
        None, ge=0, description="Processes that decode files; by default one per core, up to 8."
    )


class ModelConfig(_Section):
    """The model."""

    preset: str = Field("robust", description="robust, paper, official-rgbd, official-text-image or static.")
    uncertainty: str | None = Field(None, description="Estimator instead of the preset's, e.g. entropy.")
    weighting: str | None = Field(
        None, description="Map to weights instead of the preset's: linear, linear:BETA, simplex, reserved, constant."
    )
    hidden: int = Field(128, ge=1, description="Width of each encoder's hidden layer.")
    dropout: float = Field(0.3, ge=0, lt=1, description="Dropout in each encoder.")
    modality_dropout: float | dict[str, float] = Field(
        0.0, description="Rate, or rate by modality, at which training treats a modality as absent."
    )
    augmentation: list[dict[str, str]] | None = Field(
        None,
        description="Each entry adds a damaged copy of the training samples: modality to NAME[:SEVERITY[:RATE]], e.g."
        " [{image: 'gaussian_noise:3'}].",
    )


class LossConfig(_Section):
    """The objective."""

    ranking_weight: float | None = Field(None, ge=0, description="lambda; by default the preset's.")
    pairs: Literal["adjacent", "all"] = Field("adjacent", description="Pairs the regulariser compares.")
    history_start_epoch: int = Field(0, ge=0, description="First epoch that enters the history.")
    class_weight: Literal["balanced"] | None = Field(None, description="Weigh classes by their rarity.")
    label_smoothing: float = Field(0.0, ge=0, lt=1)


class TrainingConfig(_Section):
    """How to train."""

    epochs: int = Field(100, ge=1)
    batch_size: int = Field(64, ge=1)
    accumulate: int = Field(1, ge=1, description="Batches per optimiser step.")
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(3e-3, gt=0)
    backbone_learning_rate: float = Field(1e-4, gt=0, description="Of pretrained encoders that are tuned.")
    weight_decay: float = Field(1e-2, ge=0)
    schedule: Literal["constant", "cosine", "linear", "plateau"] = "cosine"
    warmup_epochs: float = Field(0.0, ge=0)
    clip_norm: float = Field(0.0, ge=0, description="Largest gradient norm; 0 = no clipping.")
    patience: int = Field(20, ge=1, description="Stop after so many epochs without a better validation score.")
    monitor: Literal["objective", "loss", "accuracy"] = "objective"
    precision: Literal["no", "fp16", "bf16"] = "no"
    compile: bool = False
    shard: bool = False
    validation_fraction: float = Field(0.1, ge=0, lt=1, description="Share of `train` held out, if no file is given.")


class Config(_Section):
    """All that `qmf fit` needs to know."""

    data: DataConfig
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()
    seed: int = Field(0, ge=0, description="Seed of everything drawn, and of the split of a built-in data set.")


def read_config(path: Path) -> dict[str, Any]:
    """Read a YAML file; paths of data in it are relative to the file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    dict
        Its content, not yet checked.

    Raises
    ------
    DataError
        If there is no such file.
    ConfigError
        If it is not YAML, or not a mapping.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist or is not a file: expected a configuration in YAML.")
    try:
        values = _from_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no mapping: expected keys such as data:, model:, training:.")
    data = values.get("data")
    if isinstance(data, dict):
        for key in ("train", "validation", "test"):
            if isinstance(data.get(key), str):
                data[key] = _located(data[key], path)
    return values


class _SingleKeys(yaml.SafeLoader):
    """Takes no key twice in one mapping: YAML forbids it, PyYAML forgets all values but the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is given twice: keep one", key.start_mark
                    )
                seen.add((key.tag, key.value))
        result: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return result


def _from_yaml(text: str) -> Any:
    loader = _SingleKeys(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _located(source: str, config: Path) -> str:
    """Fill in variables of the environment; a file is relative to the configuration."""
    try:
        filled = Template(source).substitute(os.environ)
    except KeyError as error:
        raise ConfigError(f"{config}: the environment variable {error} in {source!r} is not set: set it.") from error
    except ValueError as error:
        raise ConfigError(f"{config}: {source!r}: {error}; write a plain $ as $$.") from error
    is_file = ":" not in filled and ("." in filled or "/" in filled)
    return str(config.parent / filled) if is_file else filled


def apply_overrides(values: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Lay ``a.b=c`` over a configuration.

    Parameters
    ----------
    values : dict
        The configuration so far; changed in place.
    overrides : list of str
        Each ``key.key=value``, the value in YAML: numbers, lists, mappings and null are understood.

    Returns
    -------
    dict
        `values`.

    Raises
    ------
    ConfigError
        If one has no ``=``, its value is not YAML, or it goes through something that is not a mapping.

    Examples
    --------
    >>> apply_overrides({}, ["training.epochs=5"])
    {'training': {'epochs': 5}}
    """
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {override}: expected KEY=VALUE, for example training.epochs=50.")
        try:
            value = _from_yaml(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override}: the value is not valid YAML ({error}).") from error
        *parents, last = key.split(".")
        section = values
        for parent in parents:
            section = section.setdefault(parent, {})
            if not isinstance(section, dict):
                raise ConfigError(f"--set {override}: {parent!r} is a value, not a section.")
        section[last] = value
    return values


def parse_config(values: dict[str, Any], source: str) -> Config:
    """Check a configuration.

    Parameters
    ----------
    values : dict
        From a file and overrides.
    source : str
        Where it came from, for messages.

    Returns
    -------
    Config
        With every default filled in.

    Raises
    ------
    ConfigError
        Naming each key that is unknown, with the nearest known one, missing, or out of range.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"{source}: " + "; ".join(problems) + ".") from error


def _explain(problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if problem["type"] != "extra_forbidden":
        return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]} (got {problem['input']!r})"
    known = _known_keys(location[:-1])
    nearest = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
    hint = f"did you mean {'.'.join([*location[:-1], nearest[0]])!r}?" if nearest else f"known: {', '.join(known)}"
    return f"unknown key {key!r}; {hint}"


def _known_keys(location: list[str]) -> list[str]:
    section: type[BaseModel] = Config
    for part in location:
        if part in section.model_fields and part != "modalities":
            kind = section.model_fields[part].annotation
            section = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else section
        elif section is DataConfig:
            section = ModalityConfig
    return list(section.model_fields)
