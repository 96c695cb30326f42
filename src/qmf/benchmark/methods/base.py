"""What every method of the benchmark shares: the encoders, the unimodal heads, and how absence is treated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from qmf.encoders import MLPEncoder
from qmf.heads import BatchedLinearHeads
from qmf.logsumexp import log_sum_exp
from qmf.objective_gradients import WantedOrder
from qmf.types import FusionOutput

__all__ = ["GivenDropout", "Method", "Step", "cross_entropy", "fused_cross_entropy", "mean_where", "shares"]


class Step(NamedTuple):
    """What a loss may know about the training so far.

    Attributes
    ----------
    progress : Tensor []
        From 0 at the start to 1 at the end of training.
    total : Tensor [B, M]
        Sum of the losses that were recorded for these samples.
    seen : Tensor [B, M]
        How many were recorded.
    low, scale : Tensor [M]
        Bounds of the mean loss over the training set when the last epoch ended: smallest, and 1 / (largest - smallest).
    """

    progress: Tensor
    total: Tensor
    seen: Tensor
    low: Tensor
    scale: Tensor


class GivenDropout(nn.Module):
    """Dropout whose mask is given from outside, so that it belongs to (seed, epoch, row) and not to a global generator.

    Parameters
    ----------
    rate : float
        Share of units switched off.
    width : int
        Number of units.
    """

    mask: Tensor

    def __init__(self, rate: float, width: int) -> None:
        super().__init__()
        self.rate, self.width = rate, width
        self.register_buffer("mask", torch.ones(1, width), persistent=False)

    def forward(self, h: Tensor) -> Tensor:
        """Give ``h mask`` in training, `h` in evaluation."""
        return h * self.mask if self.training else h


class Method(nn.Module):
    """A fusion method for feature vectors. A method of your own is one subclass: `fuse`, and `loss` if need be.

    Parameters
    ----------
    widths : mapping of str to int
        Modalities in order, with their number of features.
    num_classes : int
        K.
    hidden : int
        Width of each encoder's hidden layer.
    dropout : float
        In each encoder.

    Attributes
    ----------
    title : str
        What tables call it.
    weighs : bool
        True if its weights differ between samples and it has unimodal logits, so that ``r(w, l)`` means something.
    remembers : bool
        True if its loss reads the history of past losses.
    sees_damage : bool
        True for an oracle that is told which modalities were damaged.
    chooses : bool
        True if it must choose among modalities on held-out data before it is trained, see `BestSingle`.
    ranges : mapping of str to (float, float)
        Arguments of its own, which a recipe may set and ``--trials`` choose: the default, which is the least, and the
        most that is tried.
    """

    title: ClassVar[str] = ""
    weighs: ClassVar[bool] = False
    remembers: ClassVar[bool] = False
    sees_damage: ClassVar[bool] = False
    chooses: ClassVar[bool] = False
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {}

    def __init__(self, widths: Mapping[str, int], num_classes: int, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.modalities, self.num_classes, self.hidden = tuple(widths), num_classes, hidden
        self.encoders = nn.ModuleList(MLPEncoder(width, hidden) for width in widths.values())
        for encoder in self.encoders:
            encoder.dropout = GivenDropout(dropout, hidden)
        self.heads = BatchedLinearHeads(len(widths), hidden, num_classes)

    def forward(self, x: Sequence[Tensor], present: Tensor) -> FusionOutput:
        """Classify a batch.

        Parameters
        ----------
        x : M tensors [B, D_m]
            Features; whatever stands where absent is ignored.
        present : Tensor [B, M], bool
            True where a modality is there.

        Returns
        -------
        FusionOutput
            ``softmax(logits)`` are the probabilities.
        """
        return self.fuse(*self.unimodal(x, present), present)

    def settle(self, x: Sequence[Tensor], present: Tensor) -> None:
        """Fit what needs no gradient, once training is over; by default nothing. Arguments as `forward`."""

    def unimodal(self, x: Sequence[Tensor], present: Tensor) -> tuple[list[Tensor], Tensor]:
        """Give features and logits of each modality, 0 where it is absent.

        Parameters
        ----------
        x, present
            As in `forward`.

        Returns
        -------
        h : list of M tensors [B, H]
        f : Tensor [B, M, K]
        """
        gone = [~present[:, m, None] for m in range(len(self.modalities))]
        h = [encoder(v.masked_fill(g, 0.0)) for encoder, v, g in zip(self.encoders, x, gone, strict=True)]
        h = [v.masked_fill(g, 0.0) for v, g in zip(h, gone, strict=True)]
        return h, self.heads(h).masked_fill(~present[..., None], 0.0)

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give the fused output of features ``h`` (M tensors [B, H]) and unimodal logits ``f [B, M, K]``."""
        raise NotImplementedError

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give what training minimises; by default cross-entropy of the fused output and of each modality.

        Parameters
        ----------
        output : FusionOutput
            Of a batch.
        cost : Tensor [B, M]
            Cross-entropy of each sample's unimodal logits, with gradient.
        target : Tensor [B], int64
            True classes.
        step : Step
            What is known about the training so far.

        Returns
        -------
        Tensor []
            The loss.
        """
        return fused_cross_entropy(output, target) + mean_where(cost, output.present).sum()

    def training_step(
        self, h: Sequence[Tensor], f: Tensor, present: Tensor, target: Tensor, step: Step, *, complete: bool
    ) -> tuple[Tensor, Tensor]:
        """Give the loss of a batch, and its unimodal losses [B, M], for the history.

        Parameters
        ----------
        h : M tensors [B, H]
            Features, 0 where absent.
        f : Tensor [B, M, K]
            What the heads give of them.
        present, target, step
            As in `loss`.
        complete : bool
            True if it is known that all are there, which spares a mask.
        """
        output = self.fuse(h, f if complete else f.masked_fill(~present[..., None], 0.0), present)
        cost = cross_entropy(output.unimodal_logits, target)
        return self.loss(output, cost, target, step), cost.detach()

    def wanted_ahead(self, step: Step) -> WantedOrder | None:
        """Give what `written_step` takes as `wanted`, for many batches at once: no sample comes twice in an epoch.

        Parameters
        ----------
        step : Step
            With leading axes of S models and n batches, but for the bounds, which have S.

        Returns
        -------
        WantedOrder [M, S, n, B] or None
            None for a method that does not ask.
        """
        return None

    def written_step(
        self, f: Tensor, target: Tensor, step: Step, wanted: WantedOrder | None = None
    ) -> tuple[Tensor, Tensor] | None:
        """Give the gradient for ``f``, and the unimodal losses, of S models at once; None where autograd has to.

        Parameters
        ----------
        f : Tensor [M, S, K, B]
            What the heads give; no modality is absent.
        target : Tensor [S, B], int64
            True classes.
        step : Step
            With a leading axis of S.
        wanted : WantedOrder [M, S, B], optional
            What `wanted_ahead` gave for this batch.

        Returns
        -------
        gradient : Tensor [M, S, K, B]
            Of each model's loss, which must not depend on other parameters.
        cost : Tensor [M, S, B]
            Cross-entropies of the unimodal logits.
        """
        return None


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Give ``l(f^m)`` of [B, M, K] logits, one by one, [B, M]."""
    index = target[:, None, None].expand(*logits.shape[:2], 1)
    # Not by log_softmax, which is several times slower along a short last axis.
    return log_sum_exp(logits) - logits.gather(2, index).squeeze(2)


def fused_cross_entropy(output: FusionOutput, target: Tensor) -> Tensor:
    """Give the mean of ``l(f)``, the cross-entropy of the fused logits [B, K]."""
    return cross_entropy(output.logits[:, None], target).mean()


def mean_where(x: Tensor, there: Tensor) -> Tensor:
    """Give the mean of each column [M] of ``x [B, M]`` over the rows that are there; 0 where none is."""
    return (x * there).sum(dim=0) / there.sum(dim=0).clamp(min=1)


def shares(present: Tensor) -> Tensor:
    """Give equal weights over what is there, [B, M]."""
    there = present.float()
    return there / there.sum(dim=1, keepdim=True).clamp(min=1)
