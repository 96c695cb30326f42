"""Credibility: is a modality intact, and how far is it trusted, given how typical it is and what the others say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from qmf.floor import FLOOR
from qmf.precision import full_precision
from qmf.typicality import Typicality, evidence_of
from qmf.uncertainty.base import Features, UncertaintyEstimator

__all__ = ["LEAST", "MOST", "PRIOR", "TOGETHER", "Belief", "Credibility", "believe"]

PRIOR = 0.2  # of being damaged, before the vector is looked at
LEAST, MOST = 0.2, 0.95  # a modality is never wholly believed, and never wholly ignored
TOGETHER = 2.0  # odds by which all are intact rather than by M independent chances: damage is not spread evenly


class Belief(NamedTuple):
    """What follows from the unimodal logits and the evidence of B samples.

    Attributes
    ----------
    log_credibility : Tensor [B, M]
        ``log gamma^m``, at most 0: the logarithm of the probability that m is intact.
    expected_loss : Tensor [B, M]
        ``E_P[l^m] = sum_y P(y) l^m(y)``, at least 0.
    log_posterior : Tensor [B, K]
        ``log P(y)``, normalised.
    """

    log_credibility: Tensor
    expected_loss: Tensor
    log_posterior: Tensor

    @property
    def uncertainty(self) -> Tensor:
        """``u^m = -log gamma^m + E_P[l^m]``, [B, M], at least 0."""
        return self.expected_loss - self.log_credibility


def believe(logits: Tensor, evidence: Tensor, present: Tensor | None, joint: Tensor | None = None) -> Belief:
    """Give how credible each modality is, what loss it is expected to have, and what all of them say together.

    Parameters
    ----------
    logits : Tensor [B, M, K]
        Unimodal logits.
    evidence : Tensor [B, M]
        That a modality is atypical, see `qmf.typicality.Typicality`; NaN where it is not known, which counts as 0.
    present : Tensor [B, M], bool, or None
        True where a modality is there.
    joint : Tensor [B, K], optional
        Logits of a head that sees the features of all modalities; not looked at where one is absent.

    Returns
    -------
    Belief
        Whatever stands where a modality is absent means nothing.

    Notes
    -----
    A modality is intact, and then says ``p^m(y)``; or it is damaged, with probability ``e^m``, and then says nothing
    about y. Its likelihood is ``q^m(y) = (1 - e^m) p^m(y) + e^m / K``, so that no modality can rule a class out. With
    modalities that are independent given the class, ``P(y) ~ prod_m q^m(y)``. One of the ``2^M`` terms of that product
    says that all are intact, ``prod_m (1 - e^m) p^m(y)``: there nothing has to be independent, and the joint head,
    which was trained on exactly that case, takes its place with the mass of ``c prod_m t^m p^m``, where
    ``t^m = (1 - e^m) / (1 - LEAST)``: what guards the product against one wrong modality is not needed there; ``c`` is
    `TOGETHER`.

    With the product for P, the probability that m is intact is ``gamma^m = sum_y P(y) (1 - e^m) p^m(y) / q^m(y)``. A
    typical modality that contradicts what the others agree on loses its credibility; two that contradict each other
    share the loss. The loss that m is expected to have is its cross-entropy (with a floor) under P: as far as P is
    calibrated, ``E_P[l^m]`` is the conditional mean of the loss itself, which is what Assumption 1 of the theory asks
    of an uncertainty.
    """
    p, classes = logits.softmax(dim=-1), logits.shape[-1]
    typical = (-evidence.nan_to_num(nan=0.0) - math.log(PRIOR / (1 - PRIOR))).sigmoid()
    damaged = (1 - (1 - LEAST) * typical).clamp(max=MOST)[..., None]
    intact = (1 - damaged) * p
    q = intact + damaged / classes
    log_q = q.log() if present is None else q.log().masked_fill(~present[..., None], 0.0)
    log_product = log_q.sum(dim=1).log_softmax(dim=-1)
    product, is_intact = log_product.exp(), intact / q
    log_credibility = _log((product[:, None] * is_intact).sum(dim=-1))
    log_posterior = (
        log_product if joint is None else _with_joint(log_product, is_intact.prod(dim=1), joint, present, logits)
    )
    loss = -((1 - FLOOR) * p + FLOOR / classes).log()
    return Belief(log_credibility, (log_posterior.exp()[:, None] * loss).sum(dim=-1), log_posterior)


def _with_joint(product: Tensor, intact: Tensor, joint: Tensor, present: Tensor | None, logits: Tensor) -> Tensor:
    """Put the joint head in the place of the term in which all modalities are intact; gives ``log P`` [B, K].

    Parameters
    ----------
    product : Tensor [B, K]
        ``log prod_m q^m``, normalised.
    intact : Tensor [B, K]
        Share of that term in the product, ``prod_m (1 - e^m) p^m / q^m``, below 1.
    joint, present, logits
        As in `believe`.
    """
    rest = product + (1 - intact).clamp(min=1e-6).log()
    mass = _log((product.exp() * intact).sum(dim=-1, keepdim=True)) + math.log(TOGETHER)
    mass = mass - logits.shape[1] * math.log(1 - LEAST)
    together = torch.logaddexp(rest, mass + joint.log_softmax(dim=-1)).log_softmax(dim=-1)
    return together if present is None else torch.where(present.all(dim=1, keepdim=True), together, product)


def _log(probability: Tensor) -> Tensor:
    """Give the logarithm, finite even where many modalities against one leave less than the type can hold."""
    return probability.clamp(min=torch.finfo(probability.dtype).tiny).log()


class Credibility(UncertaintyEstimator):
    """``u^m = -log gamma^m + E_P[l^m]``: how far from being intact and right. See `believe`.

    With `ReservedWeights`, ``w^m ~ gamma^m exp(-E_P[l^m])``: the probability that m is intact, times that which it is
    expected to give to the true class (as a geometric mean).

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
        f = full_precision(logits)
        return believe(f, self.evidence(features, f), present).uncertainty

    def ceiling(self, num_classes: int) -> float:
        """Give infinity; see `UncertaintyEstimator.ceiling`."""
        return math.inf

    def evidence(self, features: Features, logits: Tensor) -> Tensor:
        """Give the evidence [B, M] that each modality is atypical; NaN where not known; arguments as `forward`."""
        unknown = logits.new_full(logits.shape[:1], torch.nan)
        columns = [unknown] * self.num_modalities
        judges = zip(cast(Sequence[Typicality], self.typicality), features, strict=True) if features else ()
        known = {m: (judge, x) for m, (judge, x) in enumerate(judges) if x.numel() and judge.fitted}
        if known:  # all in one go, but for the distances
            squared = torch.stack([judge(x) for judge, x in known.values()], dim=1)
            usual = torch.stack([judge.usual for judge, _ in known.values()], dim=1)
            found = evidence_of(squared, usual).to(logits.dtype).unbind(dim=1)
            for m, column in zip(known, found, strict=True):
                columns[m] = column
        return torch.stack(columns, dim=1)

    def fit(self, vectors: Sequence[Tensor], present: Tensor) -> None:
        """Learn from the training vectors (M tensors [N, D_m], present [N, M]) what is typical."""
        for m, (typicality, x) in enumerate(zip(self.typicality, vectors, strict=True)):
            cast(Typicality, typicality).fit(x[present[:, m]])
