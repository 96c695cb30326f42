"""What training minimises: CE(fused) + sum_m CE(f^m) + lambda sum_m L_reg^m."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qmf.history import LossHistory
from qmf.logsumexp import log_sum_exp
from qmf.objective_gradients import Recall, Terms, objective_terms
from qmf.presets import get_preset
from qmf.ranking import Pairs, ranking_loss
from qmf.types import FusionOutput
from qmf.uncertainty import UncertaintyEstimator

__all__ = ["ObjectiveTerms", "QMFObjective"]


class ObjectiveTerms(NamedTuple):
    """The objective and the terms it is made of.

    Attributes
    ----------
    loss : Tensor []
        What to minimise.
    fused : Tensor []
        Mean cross-entropy of the fused logits.
    unimodal : Tensor [M]
        Mean cross-entropy of each modality over the samples that have it; 0 if none has.
    ranking : Tensor [M]
        ``L_reg^m``; 0 where nothing is known yet, or without history.
    auxiliary : Tensor [] or None
        Loss of an uncertainty estimator that learns; None for one that does not.
    """

    loss: Tensor
    fused: Tensor
    unimodal: Tensor
    ranking: Tensor
    auxiliary: Tensor | None


class QMFObjective(nn.Module):
    """The objective of QMF, with the history it needs.

    Parameters
    ----------
    num_samples : int
        N of the training set, the size of the history.
    num_modalities : int
        M.
    preset : str, default "paper"
        Gives the defaults of what follows, and the form of the regulariser; see `qmf.presets`.
    ranking_weight : float, optional
        ``lambda >= 0``. 0 = no regulariser; then the history is kept only if the preset says so.
    pairs : {"adjacent", "all"}
        Which pairs of the batch the regulariser compares.
    start_epoch : int, default 0
        First epoch whose losses enter the history.
    class_weights : Tensor [K], optional
        Weight of each class in the cross-entropies, as in `torch.nn.functional.cross_entropy`. The history keeps the
        plain loss.
    label_smoothing : float in [0, 1), default 0
        As in `torch.nn.functional.cross_entropy`. The history keeps the plain loss.
    uncertainty : UncertaintyEstimator, optional
        The model's estimator, if it has a loss of its own.
    history : LossHistory, optional
        One of your own, such as a memory-mapped one; by default one is made where the preset needs it.

    Notes
    -----
    O(B M K) per step, whatever N. No host-device copy.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 3.3, overall objective.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        num_samples: int,
        num_modalities: int,
        *,
        preset: str = "paper",
        ranking_weight: float | None = None,
        pairs: Pairs = "adjacent",
        start_epoch: int = 0,
        class_weights: Sequence[float] | Tensor | None = None,
        label_smoothing: float = 0.0,
        uncertainty: UncertaintyEstimator | None = None,
        history: LossHistory | None = None,
    ) -> None:
        super().__init__()
        self.choices = get_preset(preset)
        self.lambda_ = self.choices.ranking_weight if ranking_weight is None else ranking_weight
        self.pairs: Pairs = pairs
        self.label_smoothing = label_smoothing
        weights = None if class_weights is None else torch.as_tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights)
        kept = self.lambda_ > 0 or self.choices.keeps_history
        made = LossHistory(num_samples, num_modalities, start_epoch) if kept and history is None else history
        self.history = made if kept else None
        # Held without registering it: its parameters belong to the model.
        self._auxiliary_loss = uncertainty.auxiliary_loss if uncertainty is not None else None

    def forward(self, output: FusionOutput, target: Tensor, index: Tensor, *, complete: bool = False) -> ObjectiveTerms:
        """Give the objective of one batch and, in training mode, record its losses in the history.

        Parameters
        ----------
        output : FusionOutput
            What the model gave.
        target : Tensor [B], int64
            True classes.
        index : Tensor [B], int64
            Which samples of the training set these are; below 0 for filler rows, which count for nothing.
        complete : bool, default False
            True if it is known that no modality is absent and no row is filler, which spares the masks.

        Returns
        -------
        ObjectiveTerms
            Total and terms.
        """
        there = share = None
        plain = self.plain
        if not (plain and complete):
            real = (index >= 0)[:, None]
            there = output.present & real
            share, index = self._share(torch.cat([real, there], dim=1), target), index.clamp(min=0)
        recall = partial(self.recall, index=index, there=there)
        if plain:
            f, w, gap = output.unimodal_logits, output.weights, self.choices.gap
            terms = objective_terms(output.logits, f, w, target, share, recall, self.lambda_, gap)
        else:
            terms = self._by_autograd(output, target, share, recall)
        auxiliary = self._auxiliary(output, target, output.present if there is None else there)
        loss = terms.loss if auxiliary is None else terms.loss + auxiliary
        return ObjectiveTerms(loss, terms.means[0], terms.means[1:], terms.ranking, auxiliary)

    @property
    def plain(self) -> bool:
        """True without class weights, smoothing and pairs beyond adjacent ones: then gradients are written out."""
        return self.class_weights is None and not self.label_smoothing and self.pairs == "adjacent"

    def recall(self, unimodal_loss: Tensor, *, index: Tensor, there: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """Give ``kappa`` and where it is known, and record the losses; None where nothing is ranked."""
        if self.history is None:
            return None
        if self.choices.record_first or not self.lambda_:
            self.record(index, unimodal_loss, there)
        if not self.lambda_:
            return None
        kappa, known = self.history.kappa(index)
        if not self.choices.record_first:
            self.record(index, unimodal_loss, there)
        return kappa, known if there is None else known & there

    def record(self, index: Tensor, losses: Tensor, there: Tensor | None = None) -> None:
        """Take losses [B, M] of some samples into the history, if there is one and in training mode."""
        if self.training and self.history is not None:
            self.history.record(index, losses, there)

    def _by_autograd(self, output: FusionOutput, target: Tensor, share: Tensor | None, recall: Recall) -> Terms:
        # The fused and all unimodal logits in one pass: [B, 1 + M, K].
        logits = torch.cat([output.logits[:, None], output.unimodal_logits], dim=1)
        cost = self._cross_entropy(logits, target, self.class_weights, self.label_smoothing)
        means = cost.mean(dim=0) if share is None else (cost * share).sum(dim=0)
        known = recall(self._plain_loss(cost, logits, target)[:, 1:])
        if known is None:
            return Terms(means.sum(), means, torch.zeros_like(means[1:]))
        ranking = ranking_loss(output.weights, *known, pairs=self.pairs, gap=self.choices.gap)
        return Terms(means.sum() + self.lambda_ * ranking.sum(), means, ranking)

    @staticmethod
    def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        """Cross-entropy of [B, 1 + M, K] logits, one by one, [B, 1 + M]."""
        if weight is None and not smoothing:
            index = target[:, None, None].expand(*logits.shape[:2], 1)
            # Not by log_softmax, which is several times slower along a short last axis.
            return log_sum_exp(logits) - logits.gather(2, index).squeeze(2)
        b, heads, k = logits.shape
        repeated = target[:, None].expand(b, heads).reshape(-1)
        losses = F.cross_entropy(logits.reshape(-1, k), repeated, weight, reduction="none", label_smoothing=smoothing)
        return losses.view(b, heads)

    def _share(self, there: Tensor, target: Tensor) -> Tensor:
        """Give what each loss counts in the mean of its column, [B, 1 + M]; the class weight is in the loss already."""
        if self.class_weights is None:
            return there / there.sum(dim=0).clamp(min=1)
        total = (there * self.class_weights[target][:, None]).sum(dim=0)
        return there / total.masked_fill(total == 0, 1.0)

    def _plain_loss(self, cost: Tensor, logits: Tensor, target: Tensor) -> Tensor:
        """Give the loss that the history keeps: without class weights and smoothing, [B, 1 + M]."""
        if self.class_weights is None and not self.label_smoothing:
            return cost.detach()
        return self._cross_entropy(logits.detach(), target, None, 0.0)

    def _auxiliary(self, output: FusionOutput, target: Tensor, there: Tensor) -> Tensor | None:
        if self._auxiliary_loss is None:
            return None
        cost = self._auxiliary_loss(output.uncertainty, output.unimodal_logits, target)
        if cost is None:
            return None
        return (cost.masked_fill(~there, 0.0).sum(dim=0) / there.sum(dim=0).clamp(min=1)).sum()
