"""Typicality: how much a vector speaks for being nothing like the training vectors. No damage is needed to fit it.

The density is a Gaussian copula: every feature is brought to normal scores by its own distribution, then the squared
Mahalanobis distance ``d^2`` is taken. Its cube root is close to normal (Wilson and Hilferty), and what is normal on
both sides is known from the training vectors themselves: a vector that is too far is atypical, and so is one that is
too close, such as that of a zeroed or stuck sensor.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qmf.learnt_buffers import LearntBuffers
from qmf.normal_scores import NormalScores

__all__ = ["Typicality", "evidence_of", "shrinkage"]

_COMPONENTS = 256  # directions kept of the covariance; the rest share one variance
_FOLDS = 3
_TAIL = 0.15  # quantile from which the spread on either side of the median is taken
_REACH = 20.0  # standard deviations within which a damaged vector may lie anywhere
_FEWEST = 30


class Typicality(LearntBuffers):
    """Evidence that a vector is atypical: the logarithm of a Bayes factor, 0 = no evidence either way.

    Attributes
    ----------
    scores : NormalScores
        From a vector to its normal scores r.
    axes : Tensor [D, R]
        Directions, scaled: ``d^2 = |r axes|^2`` where R = D; else ``d^2 = rest |r|^2 - |r axes|^2`` of scores r.
    rest : Tensor []
        Inverse variance in all directions but the R leading ones of the covariance of the scores.
    usual : Tensor [3]
        Median of ``(d^2 / D)^(1/3)`` over training vectors, and its spread below and above.

    Notes
    -----
    Fitting takes O(n D^2 + D^3) once; asking O(D min(D, 256)) a vector.

    References
    ----------
    Liu et al., The Nonparanormal, JMLR 2009 (the density); Lee et al., NeurIPS 2018 (Mahalanobis distance for atypical
    inputs); Ledoit and Wolf, 2004 (shrinkage); Wilson and Hilferty, PNAS 1931 (the cube root).

    Examples
    --------
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch...
    >>> typicality = Typicality()
    >>> typicality.fit(torch.randn(300, 40))
    >>> usual, far, dead = torch.randn(1, 40), 5 * torch.randn(1, 40), torch.zeros(1, 40)
    >>> [bool(typicality.evidence(x) > 3) for x in (usual, far, dead)]
    [False, True, True]
    """

    axes: Tensor
    rest: Tensor
    usual: Tensor

    def __init__(self) -> None:
        super().__init__("axes", "rest", "usual")
        self.scores = NormalScores()

    @property
    def fitted(self) -> bool:
        """True once it knows what is usual."""
        return self.usual.numel() > 0

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Learn from training vectors what is usual.

        Parameters
        ----------
        x : Tensor [n, D]
            Those that are present. With fewer than 30 nothing is learnt: no vector is called atypical.
        """
        if len(x) < _FEWEST:
            return
        # Distances of vectors that the density has not seen: those of its own vectors would be too small.
        fold = torch.arange(len(x), device=x.device) * _FOLDS // len(x)
        fold = fold[torch.randperm(len(x), generator=torch.Generator().manual_seed(len(x))).to(x.device)]
        root = torch.empty(len(x), dtype=torch.float64, device=x.device)
        for k in range(_FOLDS):
            self._fit_density(x[fold != k])
            root[fold == k] = self(x[fold == k]).pow(1 / 3)
        self._fit_density(x)
        low, middle, high = root.quantile(root.new_tensor([_TAIL, 0.5, 1 - _TAIL]))
        z = -torch.special.ndtri(root.new_tensor(_TAIL))
        smallest = 1e-3 * middle.clamp(min=1e-3)
        spread = (torch.stack([middle - low, high - middle]) / z).clamp(min=smallest)
        self.usual = torch.cat([middle[None], spread])
        self.axes, self.rest, self.usual = (t.float().contiguous() for t in (self.axes, self.rest, self.usual))

    def forward(self, x: Tensor) -> Tensor:
        """Give ``d^2 / D`` [B] of vectors [B, D]."""
        r = self.scores(x).to(self.axes.dtype)
        d = r.shape[1]
        squared = (r @ self.axes).square().sum(dim=1)
        if self.axes.shape[1] < d:
            squared = (self.rest * r.square().sum(dim=1) - squared).clamp(min=0)
        mean: Tensor = squared / d
        return mean

    def evidence(self, x: Tensor) -> Tensor:
        """Give the evidence [B] of vectors [B, D]; 0 if it has not been fitted."""
        return evidence_of(self(x), self.usual) if self.fitted else x.new_zeros(len(x), dtype=self.usual.dtype)

    def _fit_density(self, x: Tensor) -> None:
        self.scores.fit(x)
        self._fit_distance(self.scores(x).double())

    def _fit_distance(self, r: Tensor) -> None:
        """Learn the covariance of centred scores [n, D]."""
        n, d = r.shape
        share, scale = shrinkage(r)
        kept = min(d, _COMPONENTS)
        variance, axes = _leading(r, kept)
        precision = 1 / ((1 - share) * variance + share * scale).clamp(min=1e-6)
        others = (r.square().sum() / n - variance.sum()).clamp(min=0) / max(d - kept, 1)
        self.rest = 1 / ((1 - share) * others + share * scale).clamp(min=1e-6)
        self.axes = axes * (precision if kept == d else (self.rest - precision).clamp(min=0)).sqrt()


def evidence_of(squared: Tensor, usual: Tensor) -> Tensor:
    """Give the evidence that vectors are atypical.

    Parameters
    ----------
    squared : Tensor [B, ...]
        What `Typicality.forward` gave: ``d^2 / D``.
    usual : Tensor [3, ...]
        The attribute of that name.

    Returns
    -------
    Tensor [B, ...]
        Logarithm of the Bayes factor for "damaged": normal where intact, anywhere within the reach where damaged.
    """
    middle, below, above = usual.unbind()
    gap = squared.pow(1 / 3) - middle
    z = gap / torch.where(gap < 0, below, above)
    return z.square() / 2 - math.log(2 * _REACH / math.sqrt(2 * math.pi))


def shrinkage(r: Tensor) -> tuple[Tensor, Tensor]:
    """Give how much of a covariance to replace by a multiple of the identity, and that multiple.

    Parameters
    ----------
    r : Tensor [n, D]
        Centred vectors.

    Returns
    -------
    share : Tensor []
        0 to 1.
    scale : Tensor []
        Mean variance.

    References
    ----------
    Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices, 2004, lemma 3.2 to 3.4.
    """
    n, d = r.shape
    s = r.T @ r / n
    scale = s.trace() / d
    size = s.square().sum() / d
    off = size - scale.square()
    noise = (r.square().sum(dim=1).square().sum() / n - size * d) / (n * d)
    share = noise.clamp(min=0) / off if bool(off > 0) else torch.ones_like(off)
    return share.clamp(max=1.0), scale


def _leading(r: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    """Give the `kept` largest variances and their directions [D, kept] of centred vectors [n, D]."""
    n, d = r.shape
    if kept == d:
        variance, axes = torch.linalg.eigh(r.T @ r / n)
        return variance.clamp(min=0), axes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, singular, axes = torch.svd_lowrank(r, q=min(kept, n), niter=2)
    return singular.square() / n, axes
