"""What a user says about a modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qmf.data import TYPES
from qmf.encoders.registry import DEFAULT_ENCODERS
from qmf.errors import ConfigError

__all__ = ["ModalitySpec"]


@dataclass(frozen=True)
class ModalitySpec:
    """One modality: what it is, where it stands, and what encodes it.

    Attributes
    ----------
    type : str
        One of `qmf.data.TYPES`.
    columns : tuple of str
        Where it stands in a table; empty for the column, or the key of a mapping, of the modality's own name.
    encoder : str, FrozenEncoder, callable, nn.Module or None
        For image, depth, text, audio: a key of `qmf.encoders.registry.ENCODERS`, a transformers model,
        ``package.module:name`` of the user's own, or that itself, see `qmf.encoders.registry.open_encoder`; None for
        the type's default.
    tune : str
        What of the encoder is trained with the model: "frozen", "last-block" or "full".
    options : dict
        Keyword arguments of the encoder.
    """

    type: str
    columns: tuple[str, ...] = ()
    encoder: Any = None
    tune: str = "frozen"
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str, given: str | Mapping[str, Any] | ModalitySpec) -> ModalitySpec:
        """Read what a user wrote: a type, or a mapping of this class's attributes.

        Parameters
        ----------
        name : str
            Of the modality, for messages.
        given : str, mapping or ModalitySpec
            What was written.

        Returns
        -------
        ModalitySpec
            Checked, with the default encoder filled in.

        Raises
        ------
        ConfigError
            If the type or a key is unknown.
        """
        plain = {"type": given} if isinstance(given, str) else given if isinstance(given, Mapping) else vars(given)
        values: dict[str, Any] = dict(plain)
        unknown = set(values) - {"type", "columns", "encoder", "tune", "options"}
        if unknown or values.get("type") not in TYPES:
            raise ConfigError(
                f"modality {name!r}: expected a type of {', '.join(TYPES)}, and if need be columns, encoder, tune,"
                f" options; got {given!r}."
            )
        columns = values.get("columns") or ()
        kind = values["type"]
        encoder = values.get("encoder")
        if encoder is not None and kind not in DEFAULT_ENCODERS:
            raise ConfigError(f"modality {name!r}: a modality of type {kind} has no encoder to choose.")
        return cls(
            kind,
            (columns,) if isinstance(columns, str) else tuple(columns),
            encoder or DEFAULT_ENCODERS.get(kind),
            values.get("tune") or "frozen",
            dict(values.get("options") or {}),
        )
