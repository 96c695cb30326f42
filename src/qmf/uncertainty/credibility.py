"""Credibility: the probability that a modality is intact, given how typical it is and what the others say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from qmf.precision import full_precision
from qmf.typicality import Typicality
from qmf.uncertainty.base import Features, UncertaintyEstimator

__all__ = ["LEAST", "MOST", "PRIOR", "Credibility", "believe"]

PRIOR = 0.2  # of being damaged, before the vector is looked at
LEAST, MOST = 0.2, 0.95  # a modality is never wholly believed, and never wholly ignored


def believe(logits: Tensor, evidence: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor]:
    """Give how credible each modality is, and what all of them say together.

    Parameters
    ----------
    logits : Tensor [B, M, K]
        Unimodal logits.
    evidence : Tensor [B, M]
        That a modality is atypical, see `qmf.typicality.Typicality`.
    present : Tensor [B, M], bool, or None
        True where a modality is there.

    Returns
    -------
    log_credibility : Tensor [B, M]
        ``log gamma^m``, at most 0; whatever stands where absent means nothing.
    log_posterior : Tensor [B, K]
        ``log P(y)``, normalised.

    Notes
    -----
    A modality is intact, and then says ``p^m(y)``; or it is damaged, with probability ``e^m``, and then says nothing
    about y. Its likelihood is ``q^m(y) = (1 - e^m) p^m(y) + e^m / K``, so that no modality can rule a class out. With
    independent modalities ``P(y) ~ prod_m q^m(y)``, and the posterior probability that m is intact is
    ``gamma^m = sum_y P(y) (1 - e^m) p^m(y) / q^m(y)``. A typical modality that contradicts what the others agree on
    loses its credibility; two that contradict each other share the loss.
    """
    log_p = logits.log_softmax(dim=-1)
    typical = (-evidence - math.log(PRIOR / (1 - PRIOR))).sigmoid()
    damaged = (1 - (1 - LEAST) * typical).clamp(max=MOST)
    intact = torch.log1p(-damaged)[..., None] + log_p
    log_q = torch.logaddexp(intact, damaged.log()[..., None] - math.log(logits.shape[-1]))
    counted = log_q if present is None else log_q.masked_fill(~present[..., None], 0.0)
    log_posterior = counted.sum(dim=1).log_softmax(dim=-1)
    return (log_posterior[:, None] + intact - log_q).logsumexp(dim=-1), log_posterior


class Credibility(UncertaintyEstimator):
    """``u^m = -log gamma^m``: with `SimplexWeights` the weights are ``gamma^m / sum gamma``. See `believe`.

    Parameters
    ----------
    num_modalities : int
        M.
    feature_dims : sequence of int
        Not used.

    Attributes
    ----------
    typicality : nn.ModuleList of M Typicality
        To be fitted after training; until then only the agreement of the modalities counts.
    """

    needs: ClassVar[Literal["logits", "features", "vectors"]] = "vectors"

    def __init__(self, num_modalities: int, feature_dims: Sequence[int] = ()) -> None:
        super().__init__(num_modalities, feature_dims)
        self.typicality = nn.ModuleList(Typicality() for _ in range(num_modalities))

    def forward(self, logits: Tensor, features: Features = (), present: Tensor | None = None) -> Tensor:
        """Give the uncertainty of each modality of each sample.

        Parameters
        ----------
        logits : Tensor [B, M, K]
            Unimodal logits.
        features : sequence of M tensors [B, D_m]
            The vectors whose typicality is looked at; one of a modality that is absent throughout may be empty. Without
            any, only the agreement of the modalities counts.
        present : Tensor [B, M], bool, optional
            True where a modality is there: what is absent has no say about the others.

        Returns
        -------
        Tensor [B, M], float32
            At least 0.
        """
        return self.believe(logits, features, present)[0]

    def believe(self, logits: Tensor, features: Features, present: Tensor | None) -> tuple[Tensor, Tensor]:
        """Give the uncertainty [B, M] and the logarithm of the fused posterior [B, K]; parameters as `forward`."""
        f = full_precision(logits)
        evidence = [
            typicality(x).to(f.dtype) if x.numel() and typicality.fitted else f.new_zeros(len(f))
            for typicality, x in zip(self.typicality, features or [f[:0]] * self.num_modalities, strict=True)
        ]
        log_credibility, log_posterior = believe(f, torch.stack(evidence, dim=1), present)
        return -log_credibility, log_posterior

    def fit(self, vectors: Sequence[Tensor], present: Tensor) -> None:
        """Learn from the training vectors (M tensors [N, D_m], present [N, M]) what is typical."""
        for m, (typicality, x) in enumerate(zip(self.typicality, vectors, strict=True)):
            cast(Typicality, typicality).fit(x[present[:, m]])
