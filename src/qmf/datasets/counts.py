"""How many samples a data set should have and has: a table, since what people downloaded may rightly differ."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qmf.data import RawSamples
from qmf.errors import ConfigError

__all__ = [
    "EXPECTED",
    "JOINED",
    "CountTable",
    "check_counts",
    "dataset_counts",
    "require_split",
    "with_checked_count",
]

EXPECTED: dict[str, dict[str, int]] = {
    "mvsa": {"train": 1555, "validation": 518, "test": 519},
    "nyud2": {"train + validation": 795, "test": 654},
    "food101": {"train": 60101, "validation": 5000, "test": 21695},
    "sunrgbd": {"train + validation": 4845, "test": 4659},
}
"""Of the official splits. Of UPMC Food-101, 90,840 and 90,688 files are also about."""

JOINED = "train+validation"
_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class CountTable:
    """Expected and found numbers of samples.

    Attributes
    ----------
    name : str
        Of the data set.
    rows : tuple of (str, int, int)
        Split, expected, found.

    Examples
    --------
    >>> print(CountTable("mvsa", (("test", 519, 500),)))
    mvsa        expected   found
    test             519     500  differs
    """

    name: str
    rows: tuple[tuple[str, int, int], ...]

    @property
    def differs(self) -> bool:
        """Whether any number is not the expected one."""
        return any(expected != found for _, expected, found in self.rows)

    def __str__(self) -> str:
        width = max(len(self.name), *(len(split) for split, _, _ in self.rows), 10)
        lines = [f"{self.name:<{width}}  expected   found"]
        for split, expected, found in self.rows:
            lines.append(f"{split:<{width}}  {expected:>8}{found:>8}" + ("  differs" if expected != found else ""))
        return "\n".join(lines)


def check_counts(name: str, found: Mapping[str, int]) -> CountTable:
    """Compare numbers of samples with the official ones.

    Parameters
    ----------
    name : str
        A key of `EXPECTED`.
    found : mapping of str to int
        By split: "train", "validation", "test", or "train+validation".

    Returns
    -------
    CountTable
        Of the splits for which there is an official number; "train + validation" needs both, or their sum.

    Raises
    ------
    ConfigError
        If the name is unknown.

    Examples
    --------
    >>> check_counts("nyud2", {"train": 414, "validation": 381, "test": 654}).differs
    False
    """
    if name not in EXPECTED:
        raise ConfigError(f"no official counts of a data set {name!r}; known: {', '.join(EXPECTED)}.")
    numbers = {split.replace(JOINED, "train + validation"): number for split, number in found.items()}
    rows = []
    for split, expected in EXPECTED[name].items():
        parts = [split] if split in numbers else split.split(" + ")
        if all(part in numbers for part in parts):
            rows.append((split, expected, sum(numbers[part] for part in parts)))
    return CountTable(name, tuple(rows))


def dataset_counts(name: str, root: str | Path) -> CountTable:
    """Count the splits of a data set.

    Parameters
    ----------
    name : str
        A key of `qmf.datasets.DATASETS`.
    root : str or Path
        Its folder.

    Returns
    -------
    CountTable
        All splits.

    Raises
    ------
    ConfigError
        If the name is unknown.
    DataError
        If a split is missing.
    """
    from qmf.datasets import DATASETS

    if name not in DATASETS:
        raise ConfigError(f"no data set {name!r}; known: {', '.join(DATASETS)}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {split: len(DATASETS[name](root, split)) for split in _SPLITS}
    return check_counts(name, found)


def with_checked_count(name: str, split: str, samples: RawSamples) -> RawSamples:
    """Give the samples, with a warning that holds the table where their number is not the official one."""
    table = check_counts(name, {split: len(samples)})
    if table.rows and table.differs:
        warnings.warn(f"{samples.source}: not the official split:\n{table}", UserWarning, stacklevel=3)
    return samples


def require_split(split: str, *, joined: bool = False) -> str:
    """Give the split's name, "dev" and "val" as "validation"; "train+validation" where official training is both.

    Raises
    ------
    ConfigError
        If there is no such split.
    """
    name = {"dev": "validation", "val": "validation"}.get(split, split)
    known = (*_SPLITS, JOINED) if joined else _SPLITS
    if name not in known:
        raise ConfigError(f"split={split!r}: expected one of {', '.join(known)}.")
    return name
