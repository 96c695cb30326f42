"""Evidential fusion: TMC, ETMC and ECML (RCML), from opinions of Dirichlet distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qmf.benchmark.methods.base import Method, Step, mean_where
from qmf.types import FusionOutput

__all__ = ["ECML", "ETMC", "TMC", "conflict", "dempster", "dirichlet_loss"]

_ANNEALED = 0.25  # share of the training after which the divergence counts in full


def dempster(a: Tensor, b: Tensor) -> Tensor:
    """Combine two Dirichlet opinions ``alpha [B, K]`` by the reduced Dempster rule.

    References
    ----------
    Han et al., Trusted Multi-View Classification, ICLR 2021, definition 4.
    """
    k = a.shape[-1]
    (b1, u1), (b2, u2) = (((x - 1) / x.sum(-1, keepdim=True), k / x.sum(-1, keepdim=True)) for x in (a, b))
    clash = b1.sum(-1, keepdim=True) * b2.sum(-1, keepdim=True) - (b1 * b2).sum(-1, keepdim=True)
    belief = (b1 * b2 + b1 * u2 + b2 * u1) / (1 - clash)
    u = u1 * u2 / (1 - clash)
    return belief * k / u + 1


def dirichlet_loss(alpha: Tensor, target: Tensor, annealing: Tensor) -> Tensor:
    """Give expected cross-entropy under ``Dir(alpha)`` plus the annealed divergence of the wrong classes from uniform.

    Parameters
    ----------
    alpha : Tensor [..., K]
        Above or at 1.
    target : Tensor [...], int64
        True classes.
    annealing : Tensor []
        Weight of the divergence, 0 to 1.

    Returns
    -------
    Tensor [...]
        One by one.

    References
    ----------
    Han et al., ICLR 2021, eq. 6 to 8; Sensoy et al., NeurIPS 2018, eq. 5.
    """
    k = alpha.shape[-1]
    one_hot = F.one_hot(target, k).to(alpha.dtype)
    expected = alpha.sum(-1).digamma() - (one_hot * alpha.digamma()).sum(-1)
    wrong = one_hot + (1 - one_hot) * alpha
    s = wrong.sum(-1)
    constant = torch.lgamma(torch.tensor(float(k)))
    divergence = s.lgamma() - constant - wrong.lgamma().sum(-1)
    divergence = divergence + ((wrong - 1) * (wrong.digamma() - s.digamma()[..., None])).sum(-1)
    return expected + annealing * divergence


def conflict(alpha: Tensor, present: Tensor) -> Tensor:
    """Give the mean conflict between the opinions of a sample's modalities, [B].

    Parameters
    ----------
    alpha : Tensor [B, M, K]
        Opinions.
    present : Tensor [B, M], bool
        Where there is one.

    References
    ----------
    Xu et al., Reliable Conflictive Multi-View Learning, AAAI 2024, definition 4: projected distance times conjunctive
    certainty.
    """
    s = alpha.sum(-1, keepdim=True)
    p, certain = alpha / s, (1 - alpha.shape[-1] / s.squeeze(-1)) * present
    distance = (p[:, :, None] - p[:, None]).abs().sum(-1) / 2
    pairs = distance * certain[:, :, None] * certain[:, None]
    return pairs.sum(dim=(1, 2)) / max(alpha.shape[1] - 1, 1)


class TMC(Method):
    """Trusted multi-view classification: Dempster's rule over evidential opinions.

    References
    ----------
    Han et al., Trusted Multi-View Classification, ICLR 2021.
    """

    title = "TMC"
    weighs = True

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give ``log alpha`` of the combined opinion; an absent modality has no evidence and changes nothing."""
        alpha = self._opinions(f, present)
        fused = alpha[:, 0]
        for m in range(1, alpha.shape[1]):
            fused = dempster(fused, alpha[:, m])
        return self._output(fused, alpha, present)

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give the Dirichlet losses, fused and of each modality."""
        annealing = (step.progress / _ANNEALED).clamp(max=1.0)
        alpha = output.unimodal_logits.exp()
        each = target[:, None].expand(alpha.shape[:2])
        unimodal = mean_where(dirichlet_loss(alpha, each, annealing), output.present).sum()
        return unimodal + dirichlet_loss(output.logits.exp(), target, annealing).mean()

    @staticmethod
    def _opinions(f: Tensor, present: Tensor) -> Tensor:
        return F.softplus(f) * present[..., None] + 1

    @staticmethod
    def _output(fused: Tensor, alpha: Tensor, present: Tensor) -> FusionOutput:
        u = alpha.shape[-1] / alpha.sum(-1)
        certain = (1 - u) * present
        w = certain / certain.sum(dim=1, keepdim=True).clamp(min=1e-9)
        return FusionOutput(fused.log(), alpha.log(), w, u, present)


class ETMC(TMC):
    """TMC with a pseudo-view: the concatenated features have an opinion too.

    References
    ----------
    Han et al., Trusted Multi-View Classification with Dynamic Evidential Fusion, TPAMI 2022.
    """

    title = "ETMC"

    def __init__(self, widths: Mapping[str, int], num_classes: int, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__(widths, num_classes, hidden=hidden, dropout=dropout)
        self.joint = nn.Linear(hidden * len(widths), num_classes)

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give the combined opinion of the modalities and of all of them together."""
        output = super().fuse(h, f, present)
        self._pseudo = F.softplus(self.joint(torch.cat(list(h), dim=1))) + 1
        return output._replace(logits=dempster(output.logits.exp(), self._pseudo).log())

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give TMC's losses and that of the pseudo-view."""
        annealing = (step.progress / _ANNEALED).clamp(max=1.0)
        return super().loss(output, cost, target, step) + dirichlet_loss(self._pseudo, target, annealing).mean()


class ECML(TMC):
    """Reliable conflictive multi-view learning: mean evidence, and a penalty on confident disagreement.

    References
    ----------
    Xu et al., Reliable Conflictive Multi-View Learning, AAAI 2024.
    """

    title = "ECML (RCML)"

    def fuse(self, h: Sequence[Tensor], f: Tensor, present: Tensor) -> FusionOutput:
        """Give ``log alpha`` of the mean evidence over what is there."""
        alpha = self._opinions(f, present)
        evidence = (alpha - 1).sum(dim=1) / present.sum(dim=1, keepdim=True).clamp(min=1)
        return self._output(evidence + 1, alpha, present)

    def loss(self, output: FusionOutput, cost: Tensor, target: Tensor, step: Step) -> Tensor:
        """Give TMC's losses and the conflict."""
        return super().loss(output, cost, target, step) + conflict(output.unimodal_logits.exp(), output.present).mean()
