"""What a benchmark runs on: one schema for the YAML files, those shipped and the user's own."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qmf.benchmark.budget import Budget
from qmf.config import ModalityConfig, read_config
from qmf.errors import ConfigError

__all__ = ["DataRecipe", "Recipe", "load_recipe", "shipped_recipes"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


class DataRecipe(_Section):
    """Where the samples come from."""

    built_in: Literal["handwritten", "digits", "gas-drift"] | None = Field(
        None, description="handwritten: embedded; digits and gas-drift: from the folder that `train` names."
    )
    train: str | None = Field(
        None,
        description="As `data.train` of `qmf fit`; split if there is no `test`: vectors by seed, else once for all.",
    )
    test: str | None = Field(None, description="Fixed test samples.")
    modalities: dict[str, ModalityConfig] = Field({}, description="As for `qmf fit`.")
    label: str = "label"
    id: str | None = None
    test_share: float = Field(0.2, gt=0, lt=1, description="Of each class, where there is no `test`.")
    where: str = Field("", description="Where to get data that cannot be shipped.")


class BudgetRecipe(_Section):
    """What every method may spend; see `qmf.benchmark.together.Budget`."""

    epochs: int = Field(100, ge=1)
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    hidden: int = Field(128, ge=1)
    dropout: float = Field(0.3, ge=0, lt=1)

    def budget(self) -> Budget:
        """Give it in the form training takes."""
        return Budget(**self.model_dump())


class ConditionRecipe(_Section):
    """One damaged copy of the test samples of raw data: modality to ``NAME:SEVERITY``."""

    name: str
    family: str = ""
    severity: float = 0.0
    damages: dict[str, str]


class Recipe(_Section):
    """A benchmark."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    title: str
    data: DataRecipe
    conditions: list[ConditionRecipe] = Field(
        [], description="For raw data. Vectors get the suite of `qmf.benchmark.conditions`."
    )
    methods: list[str] = Field([], description="By default all of `qmf.benchmark.methods.METHODS`.")
    budget: BudgetRecipe = BudgetRecipe()
    options: dict[str, dict[str, float]] = Field(
        {}, description="Settings of one method only, by its name: {paper: {beta: 1}}."
    )
    published: str = Field("", description="Key of the published numbers that stand beside ours.")
    note: str = ""


def shipped_recipes() -> dict[str, Path]:
    """Give the recipes that come with the package, by name."""
    folder = files("qmf.benchmark") / "recipes"
    return {Path(str(entry)).stem: Path(str(entry)) for entry in sorted(folder.iterdir(), key=str)}


def load_recipe(given: str) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    given : str
        A name of `shipped_recipes`, or a YAML file.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    ConfigError
        If there is none, or a key is unknown or out of range, naming it.
    """
    known = shipped_recipes()
    if given not in known and not Path(given).is_file():
        raise ConfigError(f"no recipe {given!r}: expected a YAML file or one of {', '.join(known)}.")
    path = known.get(given, Path(given))
    try:
        values: dict[str, Any] = {"name": path.stem} | read_config(path)
    except ConfigError as error:
        where = re.search(r"^  where: \"(.*)\"$", path.read_text(encoding="utf-8"), re.MULTILINE)
        raise ConfigError(f"{error} {where[1]}" if where else str(error)) from error
    try:
        return Recipe(**values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path.name}: {place}: {first['msg']}") from error
