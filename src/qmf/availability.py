"""Which modality of which sample of a batch is there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from qmf.errors import DataError

__all__ = ["which_are_there"]


def which_are_there(inputs: Mapping[str, Tensor], present: Tensor | None, modalities: tuple[str, ...]) -> Tensor | None:
    """Check what a model is given, and say which modality of which sample is there.

    Parameters
    ----------
    inputs : mapping of str to Tensor [B, ...]
        A tensor per modality; one that is left out is absent for the whole batch.
    present : Tensor [B, M], bool, or None
        True where a modality is there; None = all that `inputs` holds.
    modalities : tuple of M str
        Names, in order.

    Returns
    -------
    Tensor [B, M], bool, or None
        None = all of all, which spares the masks.

    Raises
    ------
    DataError
        If `inputs` is empty or names an unknown modality, `present` has the wrong shape or type or marks a modality
        that `inputs` lacks, or a sample has no modality at all; the last two on a CPU only, for looking at values would
        stall an accelerator.
    """
    unknown = [name for name in inputs if name not in modalities]
    if unknown or not inputs:
        raise DataError(f"inputs has {list(inputs)}: expected some of {list(modalities)}.")
    given = [name in inputs for name in modalities]
    if present is None and all(given):
        return None
    first = next(iter(inputs.values()))
    # Made on the device, column by column: a host-device copy would stall every step.
    columns = [torch.full((first.shape[0],), there, dtype=torch.bool, device=first.device) for there in given]
    if present is None:
        return torch.stack(columns, dim=1)
    shape = (first.shape[0], len(modalities))
    if tuple(present.shape) != shape or present.dtype != torch.bool:
        raise DataError(
            f"present is {present.dtype} {tuple(present.shape)}: expected torch.bool {shape}, True where there."
        )
    if present.device.type == "cpu" and not torch.compiler.is_compiling():
        _check_presence(present, given, modalities)
    return present if all(given) else present & torch.stack(columns, dim=1)


def _check_presence(present: Tensor, given: list[bool], modalities: tuple[str, ...]) -> None:
    for m, name in enumerate(modalities):
        if not given[m] and bool(present[:, m].any()):
            raise DataError(f"present marks modality {name!r} as there, but inputs has no tensor of that name.")
    empty = (~present.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise DataError(
            f"{len(empty)} of {len(present)} samples have no modality present, first row {empty[0]} of the batch:"
            " at least one is needed; leave such samples out."
        )
