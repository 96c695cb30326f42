"""CONFIG or DATA on the command line: to a checked configuration and its data schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qmf.config import Config
    from qmf.data import DataSchema

__all__ = ["configuration", "data_schema"]


def configuration(source: str, overrides: list[str], seed: int | None = None) -> Config:
    """Give the configuration of a YAML file, or of a data file alone, with overrides laid over it.

    Parameters
    ----------
    source : str
        A YAML file; or a data file or built-in name.
    overrides : list of str
        Each ``key.key=value``.
    seed : int, optional
        Instead of the configuration's.

    Returns
    -------
    Config
        Checked.

    Raises
    ------
    ConfigError
        If something in it is wrong.
    DataError
        If there is no such file.
    """
    from qmf.config import apply_overrides, parse_config, read_config

    is_config = Path(source).suffix in (".yaml", ".yml")
    values: dict[str, Any] = read_config(Path(source)) if is_config else {"data": {"train": source}}
    apply_overrides(values, overrides)
    if seed is not None:
        values["seed"] = seed
    return parse_config(values, source)


def data_schema(config: Config) -> DataSchema | None:
    """Give what stands where in the configuration's data; None where it says nothing, for built-in data sets."""
    from qmf.data import DataSchema, ModalityColumns

    if not config.data.modalities:
        return None
    modalities = {
        name: ModalityColumns(tuple(entry.columns) or (name,), entry.transpose, entry.type)
        for name, entry in config.data.modalities.items()
    }
    return DataSchema(modalities, config.data.label, config.data.id)
