"""What a corruption is: a function, the kinds of data it fits and its five severities."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qmf.errors import ConfigError

__all__ = ["SEVERITIES", "Corruption", "Parameter"]

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Parameter:
    """One raw parameter of a corruption.

    Attributes
    ----------
    values : tuple of 5 float
        Its value at severity 1 to 5.
    unit : str
        What the number measures.
    low, high : float
        Smallest and largest value accepted.
    """

    values: tuple[float, float, float, float, float]
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class Corruption:
    """One thing that goes wrong with one kind of data.

    Attributes
    ----------
    name : str
        Its key in `CORRUPTIONS`.
    kinds : frozenset of str
        The kinds of data it fits: "image", "depth", "text", "audio", "vector".
    function : callable
        ``function(value, rng, **parameters)``, pure, with what it `needs` among its keywords.
    parameters : mapping of str to Parameter
        Raw parameters; empty if there is nothing to choose, and then all severities are the same.
    source : str
        Where it comes from.
    needs : tuple of str
        What must be known about the modality beside the value: "scale", "center", "sample_rate".
    per_sensor : bool
        True if it strikes all samples of a modality alike: its draws then do not depend on the sample.
    """

    name: str
    kinds: frozenset[str]
    function: Callable[..., Any]
    parameters: Mapping[str, Parameter]
    source: str
    needs: tuple[str, ...] = ()
    per_sensor: bool = False

    @property
    def severities(self) -> tuple[dict[str, float], ...]:
        """Raw parameters at severity 1 to 5."""
        return tuple({name: p.values[i] for name, p in self.parameters.items()} for i in range(len(SEVERITIES)))

    def resolve(self, severity: int | None, parameters: Mapping[str, float]) -> dict[str, float]:
        """Give the raw parameters that a severity stands for, or check those given.

        Parameters
        ----------
        severity : int or None
            1 (mild) to 5 (severe); None if raw parameters are given.
        parameters : mapping of str to float
            All raw parameters, or none.

        Returns
        -------
        dict of str to float
            A value for each of `parameters`, in their order.

        Raises
        ------
        ConfigError
            If the severity is not 1 to 5, both or neither are given, or a parameter is unknown, missing or out of
            range.
        """
        if unknown := sorted(set(parameters) - set(self.parameters)):
            known = ", ".join(self.parameters) or "none"
            raise ConfigError(f"Corruption {self.name!r} has no parameter {unknown[0]!r}; it has: {known}.")
        if severity is not None:
            if parameters:
                raise ConfigError(f"Corruption {self.name!r}: give a severity or raw parameters, not both.")
            if isinstance(severity, bool) or severity not in SEVERITIES:
                raise ConfigError(f"Corruption {self.name!r}: severity must be 1, 2, 3, 4 or 5, got {severity!r}.")
            return self.severities[int(severity) - 1]
        if missing := [name for name in self.parameters if name not in parameters]:
            raise ConfigError(f"Corruption {self.name!r} needs a severity (1 to 5) or its {', '.join(missing)}.")
        return {name: self._checked(name, parameters[name]) for name in self.parameters}

    def _checked(self, name: str, value: float) -> float:
        low, high = self.parameters[name].low, self.parameters[name].high
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high:
            raise ConfigError(f"Corruption {self.name!r}: {name} must lie in [{low:g}, {high:g}], got {value!r}.")
        return number
