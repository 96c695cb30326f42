"""Parts of samples put together again, for those who want them all in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, chain

import numpy as np

from qmf.data.labels import checked_ids
from qmf.data.origin import Origin
from qmf.data.raw import RawModality, RawSamples
from qmf.data.written_labels import LabelCodes
from qmf.errors import DataError

__all__ = ["joined"]


def joined(parts: Sequence[RawSamples], source: str, *, written: bool) -> RawSamples:
    """Give all samples of some parts, in their order.

    Parameters
    ----------
    parts : sequence of RawSamples
        At least one; with labels all of them, or none.
    source : str
        What messages call them.
    written : bool
        Whether labels are texts of which only all together tell whether they are integers.

    Returns
    -------
    RawSamples
        The samples; messages still name the part and its row.

    Raises
    ------
    DataError
        If parts differ in columns or in the type of their labels, or an id comes twice.
    """
    starts = [0, *accumulate(map(len, parts))]

    def locate(row: int) -> str:
        k = int(np.searchsorted(starts, row, side="right")) - 1
        return f"{parts[k].source}, {parts[k].origin.locate(row - starts[k])}"

    origin = Origin(source, locate, parts[0].origin.remedy)
    origin = replace(origin, ids=checked_ids(np.concatenate([part.ids for part in parts]), origin))
    modalities = {name: _modality(name, parts) for name in parts[0].modalities}
    if parts[0].labels is None:
        return RawSamples(modalities, None, origin)
    codes = LabelCodes()
    for part in parts:
        codes.add(part)
    return RawSamples(modalities, codes.labels(written=written), origin)


def _modality(name: str, parts: Sequence[RawSamples]) -> RawModality:
    each = [part.modalities[name] for part in parts]
    first = each[0]
    if not isinstance(first.values, np.ndarray):
        return replace(first, values=list(chain.from_iterable(modality.values for modality in each)))
    for part, modality in zip(parts, each, strict=True):
        if modality.values.shape[1] != first.values.shape[1]:
            raise DataError(
                f"{part.source}: modality {name!r} has {modality.values.shape[1]} numbers a sample; in"
                f" {parts[0].source} it has {first.values.shape[1]}."
            )
    return replace(first, values=np.concatenate([modality.values for modality in each]))
