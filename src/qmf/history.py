"""What the training has learned about each sample: the running mean of its loss, modality by modality."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["LossHistory"]

_CHUNK = 1 << 20  # rows read at a time when the bounds are taken: bounds the temporary memory, not the result


class LossHistory(nn.Module):
    """Historical loss ``kappa_i^m``: mean over the epochs seen so far of sample i's loss in modality m.

    A step touches only its own rows, so its cost does not depend on N. The bounds that bring ``kappa`` into [0, 1] are
    taken once per epoch, in `end_epoch`, over what all samples had then. Under ``torch.distributed`` every rank records
    what all ranks have seen, so that the history is the same on each.

    Parameters
    ----------
    num_samples : int
        N. Samples are keyed by their index in ``0..N-1``.
    num_modalities : int
        M.
    start_epoch : int, default 0
        Losses of earlier epochs are not recorded: the first ones say more about the start than about the sample.
    storage : (Tensor [N, M] float32, Tensor [N, M] int32), optional
        Where sums and counts live, such as in files that memory maps: see `qmf.training.mapped_storage`. They are not
        in ``state_dict`` then.

    Raises
    ------
    ValueError
        If there is no sample or modality, or `storage` is not of this shape.

    Notes
    -----
    8 bytes per sample and modality (float32 sum, int32 count), O(B M) per step, O(N M) per epoch. All of it is in
    ``state_dict``. An absent modality leaves no trace.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 3.3, eq. for kappa; the min-max normalisation is over the training set.

    Examples
    --------
    >>> history = LossHistory(num_samples=2, num_modalities=1)
    >>> history.record(torch.tensor([0, 1]), torch.tensor([[1.0], [3.0]]), torch.ones(2, 1, dtype=torch.bool))
    >>> history.end_epoch()
    >>> history.kappa(torch.tensor([1, 0]))[0]
    tensor([[1.],
            [0.]])
    """

    total: Tensor
    count: Tensor
    low: Tensor
    scale: Tensor
    epoch: Tensor
    recording: Tensor

    def __init__(
        self,
        num_samples: int,
        num_modalities: int,
        start_epoch: int = 0,
        *,
        storage: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__()
        if num_samples < 1 or num_modalities < 1:
            raise ValueError(f"expected at least one sample and modality, got {num_samples} and {num_modalities}")
        self.start_epoch = start_epoch
        shape = (num_samples, num_modalities)
        total, count = storage or (torch.zeros(shape), torch.zeros(shape, dtype=torch.int32))
        if total.shape != shape or count.shape != shape:
            raise ValueError(f"storage has shapes {tuple(total.shape)} and {tuple(count.shape)}, expected {shape}")
        self.register_buffer("total", total, persistent=storage is None)
        self.register_buffer("count", count, persistent=storage is None)
        self.register_buffer("low", torch.zeros(num_modalities))  # smallest mean at the end of the last epoch
        self.register_buffer("scale", torch.zeros(num_modalities))  # 1 / (largest - smallest); 0 where none is known
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))
        self.register_buffer("recording", torch.tensor(start_epoch <= 0))

    @torch.no_grad()
    def record(self, index: Tensor, loss: Tensor, present: Tensor | None) -> None:
        """Take the losses of one batch into the mean.

        Parameters
        ----------
        index : Tensor [B], int64
            Which samples, in 0..N-1.
        loss : Tensor [B, M]
            Unimodal losses ``l(f^m)``.
        present : Tensor [B, M], bool, or None
            Where there is a loss to record; None = everywhere.
        """
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            there = torch.ones_like(loss, dtype=torch.bool) if present is None else present
            index, loss, present = (_from_all_ranks(t.contiguous()) for t in (index, loss, there))
        if present is None:
            self.total.index_add_(0, index, torch.where(self.recording, loss.float(), 0.0))
            self.count.index_add_(0, index, self.recording.to(torch.int32).expand(loss.shape))
            return
        counts = present & self.recording
        self.total.index_add_(0, index, loss.float().masked_fill(~counts, 0.0))
        self.count.index_add_(0, index, counts.to(torch.int32))

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Take the bounds of ``kappa`` over all samples recorded so far; call once after each epoch."""
        low = torch.full_like(self.low, torch.inf)
        high = torch.full_like(self.low, -torch.inf)
        for total, count in zip(self.total.split(_CHUNK), self.count.split(_CHUNK), strict=True):
            mean, unseen = total / count, count == 0
            low = torch.minimum(low, mean.masked_fill(unseen, torch.inf).amin(dim=0))
            high = torch.maximum(high, mean.masked_fill(unseen, -torch.inf).amax(dim=0))
        differ = high > low
        self.low.copy_(low.masked_fill(~differ, 0.0))
        self.scale.copy_((1.0 / (high - low)).masked_fill(~differ, 0.0))
        self.epoch += 1
        self.recording.copy_(self.epoch >= self.start_epoch)

    @torch.no_grad()
    def kappa(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Give the normalised history of some samples.

        Parameters
        ----------
        index : Tensor [B], int64
            Which samples, in 0..N-1.

        Returns
        -------
        kappa : Tensor [B, M], float32
            In [0, 1]: 0 the easiest, 1 the hardest sample of the training set in that modality; 0 where no order is
            known, since no epoch has ended or all samples are equally hard.
        known : Tensor [B, M], bool
            False where nothing has been recorded.
        """
        count = self.count.index_select(0, index)
        mean = self.total.index_select(0, index) / count.clamp(min=1)
        return ((mean - self.low) * self.scale).clamp(0.0, 1.0), count > 0

    def hardest(self, modality: int, k: int = 20) -> list[tuple[int, float]]:
        """Give the samples with the highest mean loss in one modality: the first places to look for bad data.

        Parameters
        ----------
        modality : int
            Position of the modality.
        k : int, default 20
            At most how many.

        Returns
        -------
        list of (index, mean loss)
            Hardest first. Samples never recorded are left out.
        """
        count = self.count[:, modality]
        loss = (self.total[:, modality] / count).masked_fill(count == 0, -torch.inf)
        values, order = loss.topk(min(k, len(loss)))
        return [(int(i), float(v)) for v, i in zip(values, order, strict=True) if v > -torch.inf]


def _from_all_ranks(tensor: Tensor) -> Tensor:
    parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, tensor)
    return torch.cat(parts)
