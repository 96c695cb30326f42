"""What goes into an exported graph and what comes out, by name and in order. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from qmf.encoders.graph_inputs import Vectors, read_graph_input

if TYPE_CHECKING:
    import numpy as np

    from qmf.encoders.graph_inputs import GraphInput

__all__ = ["OUTPUTS", "Signature"]

OUTPUTS = ("logits", "probabilities", "unimodal_logits", "weights", "uncertainty", "evidence")
"""What the graph gives, in order: ``logits`` are those before, ``probabilities`` those after calibration."""

_PRESENT = "present"


class Signature:
    """What the graph takes: the tensors of each modality, then ``present`` [B, M].

    Parameters
    ----------
    inputs : mapping of str to GraphInput
        Modalities, in order.
    computed : sequence of str
        Modalities whose features, as their network gives them, are outputs too.

    Attributes
    ----------
    names : list of str
        Of all tensors that go in: a modality's own name or, where it has several, that and theirs, ``note_input_ids``.
        One that is taken already, by an output or another tensor, has ``input_`` in front.
    computed : dict of int to str
        By the position of each of those modalities, the name of the output that holds its features: ``note_features``,
        with ``output_`` in front where that is taken.
    """

    def __init__(self, inputs: Mapping[str, GraphInput], computed: Sequence[str] = ()) -> None:
        self.inputs = dict(inputs)
        self._names: dict[str, list[str]] = {}
        taken = {*OUTPUTS, _PRESENT}
        for modality, given in self.inputs.items():
            parts = [f"{modality}_{part}" if part else modality for part in given.parts]
            self._names[modality] = [_free(name, "input_", taken) for name in parts]
        self.names = [name for names in self._names.values() for name in names] + [_PRESENT]
        chosen = [(m, name) for m, name in enumerate(self.inputs) if name in computed]
        self.computed = {m: _free(f"{name}_features", "output_", taken) for m, name in chosen}

    @property
    def outputs(self) -> list[str]:
        """Names of all that comes out, in order."""
        return [*OUTPUTS, *self.computed.values()]

    @property
    def widths(self) -> dict[str, int]:
        """Width of the rows of each modality."""
        return {name: given.out_features for name, given in self.inputs.items()}

    @property
    def at_once(self) -> int:
        """Rows that go through the graph together."""
        return min(given.at_once for given in self.inputs.values())

    def arrays(self, rows: Sequence[NDArray[np.floating]], present: NDArray[np.bool_]) -> list[NDArray[Any]]:
        """Give everything the graph takes, in order.

        Parameters
        ----------
        rows : sequence of M ndarray [n, D_m]
            Of all modalities.
        present : ndarray [n, M], bool
            True where a modality is there.
        """
        parts = zip(self.inputs.values(), rows, present.T, strict=True)
        return [array for given, x, there in parts for array in given.tensors(x, there)] + [present]

    def batches(self, rows: Sequence[NDArray[np.floating]], present: NDArray[np.bool_]) -> Iterator[list[NDArray[Any]]]:
        """Give `arrays` of some rows at a time: it bounds the memory and changes no result."""
        for start in range(0, len(present), self.at_once):
            part = slice(start, start + self.at_once)
            yield self.arrays([x[part] for x in rows], present[part])

    def document(self) -> dict[str, Any]:
        """Give it as JSON can hold it: ``widths`` where all are vectors, else ``inputs`` with all that makes them."""
        if all(isinstance(given, Vectors) for given in self.inputs.values()):
            return {"widths": self.widths}
        return {
            "inputs": {name: {"tensors": self._names[name]} | given.document() for name, given in self.inputs.items()}
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Signature:
        """Read what `document` gave; raises as `read_graph_input`."""
        if "widths" in document:
            return cls({name: Vectors(width) for name, width in document["widths"].items()})
        return cls({name: read_graph_input(entry) for name, entry in document["inputs"].items()})


def _free(name: str, prefix: str, taken: set[str]) -> str:
    while name in taken:
        name = prefix + name
    taken.add(name)
    return name
