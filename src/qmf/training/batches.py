"""Batches of tensors by indexing, in an order that is a function of (seed, epoch)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from qmf.randomness import derive_seed
from qmf.training.modality_dropout import dropped_presence
from qmf.training.ready import Ready

__all__ = ["Batch", "TensorBatches", "epoch_order"]


class Batch(NamedTuple):
    """One batch.

    Attributes
    ----------
    inputs : dict of str to Tensor [B, ...]
        A tensor per modality.
    present : Tensor [B, M], bool, or None
        True where a modality is there; None = everywhere.
    target : Tensor [B], int64
        True classes.
    index : Tensor [B], int64
        Which samples of the data set; -1 for filler rows, which count for nothing.
    ready : Ready or None
        What has been prepared of it.
    """

    inputs: dict[str, Tensor]
    present: Tensor | None
    target: Tensor
    index: Tensor  # type: ignore[assignment]  # shadows tuple.index, which nobody asks of a batch
    ready: Ready | None = None

    def to(self, device: torch.device) -> Batch:
        """Give the batch on `device`."""
        return Batch(
            {name: x.to(device, non_blocking=True) for name, x in self.inputs.items()},
            None if self.present is None else self.present.to(device, non_blocking=True),
            self.target.to(device, non_blocking=True),
            self.index.to(device, non_blocking=True),
            self.ready,
        )


def epoch_order(num_samples: int, seed: int, epoch: int) -> Tensor:
    """Give the order of the samples in one epoch: a permutation that is a function of (seed, epoch) alone.

    Parameters
    ----------
    num_samples : int
        N.
    seed, epoch : int
        The keys.

    Returns
    -------
    Tensor [N], int64
        The permutation.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
    return torch.randperm(num_samples, generator=generator)


class TensorBatches:
    """A data set held in tensors, cut into batches without touching samples one by one.

    Parameters
    ----------
    inputs : mapping of str to Tensor [N, ...]
        A tensor per modality.
    present : Tensor [N, M], bool
        True where a modality is there.
    target : Tensor [N], int64
        True classes.
    dropout : sequence of M float, optional
        Rates of modality dropout in `shuffled`, see `dropped_presence`; none by default.
    rows : Tensor [n], int64, optional
        The data set is these rows of `inputs`, `present` and `target`, in this order; by default all N. Of inputs that
        memory maps, a batch reads its own rows only.
    """

    def __init__(
        self,
        inputs: Mapping[str, Tensor],
        present: Tensor,
        target: Tensor,
        dropout: Sequence[float] = (),
        rows: Tensor | None = None,
    ) -> None:
        self.inputs = dict(inputs)
        self.rows = rows
        self.dropout = tuple(dropout) if any(dropout) else ()
        own = present if rows is None else present[rows]
        self.present = None if bool(own.all()) else own
        self.num_modalities = present.shape[1]
        self.target = target if rows is None else target[rows]

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device) -> TensorBatches:
        """Give the data set on `device`, if it fits into half of what is free there; else itself.

        There a batch is cut without copies from the host, which take longer than a step of small models.
        """
        if device.type != "cuda":
            return self
        size = sum(x.numel() * x.element_size() for x in self.inputs.values())
        if size > torch.cuda.mem_get_info(device)[0] / 2:
            return self
        moved = copy.copy(self)
        moved.inputs = {name: x.to(device) for name, x in self.inputs.items()}
        moved.target = self.target.to(device)
        moved.present, moved.rows = (None if x is None else x.to(device) for x in (self.present, self.rows))
        return moved

    def without_inputs(self) -> TensorBatches:
        """Give the data set with batches that name their samples and hold no inputs."""
        bare = copy.copy(self)
        bare.inputs = {}
        return bare

    def num_batches(self, batch_size: int) -> int:
        """Give the number of batches per epoch."""
        return -(-len(self) // batch_size)

    def take(self, rows: Tensor, present: Tensor | None = None) -> Batch:
        """Give the batch of these samples.

        Parameters
        ----------
        rows : Tensor [B], int64
            Samples; -1 makes a filler row (a copy of sample 0 that counts for nothing).
        present : Tensor [N, M], bool, optional
            What is there of all samples, instead of the data set's own.
        """
        safe = rows.clamp(min=0)
        stored = safe if self.rows is None else self.rows[safe]
        present = self.present if present is None else present
        return Batch(
            {name: x.index_select(0, stored) for name, x in self.inputs.items()},
            None if present is None else present.index_select(0, safe),
            self.target.index_select(0, safe),
            rows,
        )

    def shuffled(
        self, batch_size: int, seed: int, epoch: int, *, first: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch]:
        """Go through the training set once, in the order of (seed, epoch).

        Parameters
        ----------
        batch_size : int
            Samples per batch, over all processes.
        seed, epoch : int
            Keys of the order.
        first : int, default 0
            Sample of the order to begin with, for a run that was interrupted.
        rank, world_size : int
            Which of how many processes: each batch is cut into as many slices. Ranks that run short are filled with
            rows of index -1, so that every sample counts once and all ranks take equally many steps.
        """
        order = epoch_order(len(self), seed, epoch).to(self.target.device)
        present = self._left(seed, epoch)
        for start in range(first, len(self), batch_size):
            rows = order[start : start + batch_size]
            share = -(-len(rows) // world_size)
            mine = rows[rank * share : (rank + 1) * share]
            if len(mine) < share:
                mine = torch.cat([mine, mine.new_full((share - len(mine),), -1)])
            yield self.take(mine, present)

    def _left(self, seed: int, epoch: int) -> Tensor | None:
        if not self.dropout:
            return None
        there = torch.ones(len(self), self.num_modalities, dtype=torch.bool) if self.present is None else self.present
        return dropped_presence(there.cpu(), self.dropout, seed, epoch).to(self.target.device)

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Go through all samples in their own order."""
        for rows in torch.arange(len(self), device=self.target.device).split(batch_size):
            yield self.take(rows)
