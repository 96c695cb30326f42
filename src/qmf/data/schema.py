"""What stands where in a file: plain data, made at the edge from a configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["DataSchema", "ModalityColumns"]


@dataclass(frozen=True)
class ModalityColumns:
    """Where one modality stands.

    Attributes
    ----------
    columns : tuple of str
        In a table (CSV, Parquet, JSONL): column names, or patterns such as ``fou_*`` in the order of the file; or the
        one column that holds lists of numbers. In NPZ and MAT files: the one key of the array; ``X[0]`` is the first
        item of the MAT cell array ``X``.
    transpose : bool, default False
        True for an array held as features x samples (NPZ and MAT only).
    type : str, default "vector"
        What the cells are: one of `qmf.data.TYPES`. Files (image, depth, audio) and texts stand in one column.
    """

    columns: tuple[str, ...]
    transpose: bool = False
    type: str = "vector"


@dataclass(frozen=True)
class DataSchema:
    """What stands where in a file.

    Attributes
    ----------
    modalities : dict of str to ModalityColumns
        Modality name to its place; their order is the order of the modalities.
    label : str or None
        Column or key of the label.
    id : str or None
        Column or key of the sample id; None means row numbers "0", "1", ...
    """

    modalities: dict[str, ModalityColumns]
    label: str | None
    id: str | None

    def to_document(self) -> dict[str, Any]:
        """Give it in a form that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> DataSchema:
        """Give what `to_document` was made from; a `KeyError` names what is missing."""
        modalities = {
            name: ModalityColumns(tuple(entry["columns"]), entry["transpose"], entry.get("type", "vector"))
            for name, entry in document["modalities"].items()
        }
        return cls(modalities, document["label"], document["id"])
