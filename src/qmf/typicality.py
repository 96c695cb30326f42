"""Typicality: how much a vector speaks for being nothing like the training vectors. No damage is needed to fit it.

The density is a Gaussian copula: every feature is brought to normal scores by its own distribution, then the squared
Mahalanobis distance ``d^2`` is taken. Its cube root is close to normal (Wilson and Hilferty), and what is normal on
both sides is known from the training vectors themselves: a vector that is too far is atypical, and so is one that is
too close, such as that of a zeroed or stuck sensor.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Typicality", "shrinkage"]

_KNOTS = 256  # quantiles kept of each feature
_COMPONENTS = 256  # directions kept of the covariance; the rest share one variance
_FOLDS = 3
_TAIL = 0.15  # quantile from which the spread on either side of the median is taken
_REACH = 20.0  # standard deviations within which a damaged vector may lie anywhere
_FEWEST = 30
_GROUP = 16  # knots


class Typicality(nn.Module):
    """Evidence that a vector is atypical: the logarithm of a Bayes factor, 0 = no evidence either way.

    Attributes
    ----------
    knots : Tensor [D, Q]
        Quantiles of each feature.
    unit : Tensor [D]
        Standard deviations, by which values beyond the training range are scaled.
    center, axes, precision : Tensor [D], [D, R], [R]
        Mean of the normal scores, leading directions of their covariance and the inverse variances there.
    rest : Tensor []
        Inverse variance in all other directions.
    usual : Tensor [3]
        Median of ``d^(2/3)`` over training vectors, and its spread below and above.

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
    >>> [bool(typicality(x) > 3) for x in (usual, far, dead)]
    [False, True, True]
    """

    knots: Tensor
    unit: Tensor
    center: Tensor
    axes: Tensor
    precision: Tensor
    rest: Tensor
    usual: Tensor
    gap: Tensor
    tie: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("knots", "unit", "center", "axes", "precision", "rest", "usual"):
            self.register_buffer(name, torch.empty(0))
        # Normal scores between two quantiles and on one: what follows from `knots` is not saved.
        self.register_buffer("gap", torch.empty(0), persistent=False)
        self.register_buffer("tie", torch.empty(0), persistent=False)

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
        x = x.double()
        # Distances of vectors that the density has not seen: those of its own vectors would be too small.
        fold = torch.arange(len(x), device=x.device) * _FOLDS // len(x)
        fold = fold[torch.randperm(len(x), generator=torch.Generator().manual_seed(len(x))).to(x.device)]
        root = torch.empty(len(x), dtype=x.dtype, device=x.device)
        for k in range(_FOLDS):
            self._fit_density(x[fold != k])
            root[fold == k] = self._root(x[fold == k])
        self._fit_density(x)
        low, middle, high = root.quantile(torch.tensor([_TAIL, 0.5, 1 - _TAIL], dtype=x.dtype, device=x.device))
        z = -torch.special.ndtri(torch.tensor(_TAIL, dtype=x.dtype, device=x.device))
        smallest = 1e-3 * middle.clamp(min=1e-3)
        spread = (torch.stack([middle - low, high - middle]) / z).clamp(min=smallest)
        self.usual = torch.cat([middle[None], spread])
        for name, value in list(self.named_buffers()):
            setattr(self, name, value.float().contiguous())
        self._tabulate()  # from what is saved

    def forward(self, x: Tensor) -> Tensor:
        """Give the evidence [B] of vectors [B, D]; 0 if it has not been fitted."""
        if not self.fitted:
            return x.new_zeros(len(x), dtype=self.usual.dtype)
        middle, below, above = self.usual.unbind()
        gap = self._root(x.to(self.usual.dtype)) - middle
        z = gap / torch.where(gap < 0, below, above)
        # Normal where intact, anywhere within the reach where damaged.
        return z.square() / 2 - math.log(2 * _REACH / math.sqrt(2 * math.pi))

    def _fit_density(self, x: Tensor) -> None:
        rows = torch.linspace(0, len(x) - 1, min(len(x), _KNOTS), device=x.device).round().long()
        self.knots = x.sort(dim=0).values[rows].T.contiguous()
        self._tabulate()
        spread = x.std(dim=0, correction=0)
        self.unit = torch.where(spread > 0, spread, 1.0)
        scores = self._scores(x)
        self.center = scores.mean(dim=0)
        r = scores - self.center
        d = r.shape[1]
        share, scale = shrinkage(r)
        kept = min(d, _COMPONENTS)
        variance, self.axes = _leading(r, kept)
        self.precision = 1 / ((1 - share) * variance + share * scale).clamp(min=1e-6)
        others = (r.square().sum() / len(r) - variance.sum()).clamp(min=0) / max(d - kept, 1)
        self.rest = 1 / ((1 - share) * others + share * scale).clamp(min=1e-6)

    def _tabulate(self) -> None:
        """Tabulate the scores ``Phi^-1(rank / Q)`` of values between two quantiles, [Q + 1], and on one, [D, Q]."""
        size = self.knots.shape[1]
        first = torch.searchsorted(self.knots, self.knots)
        last = torch.searchsorted(self.knots, self.knots, right=True)
        between = torch.arange(size + 1, device=self.knots.device, dtype=self.knots.dtype) / size
        low, high = 0.5 / size, 1 - 0.5 / size
        self.gap = torch.special.ndtri(between.clamp(low, high))
        self.tie = torch.special.ndtri(((first + last).to(self.knots.dtype) / (2 * size)).clamp(low, high))

    def _scores(self, x: Tensor) -> Tensor:
        """Give normal scores [B, D]: ``Phi^-1`` of the rank, and what lies beyond the training range on top."""
        size = self.knots.shape[1]
        values = x.T.contiguous()
        search = _smaller_knots if torch.compiler.is_exporting() else torch.searchsorted
        rank = search(self.knots, values)
        nearest = rank.clamp(max=size - 1)
        on_knot = self.knots.gather(1, nearest) == values
        scores = torch.where(on_knot, self.tie.gather(1, nearest), self.gap[rank])
        low, high = self.knots[:, :1], self.knots[:, -1:]
        result: Tensor = (scores + (values - values.clamp(low, high)) / self.unit[:, None]).T
        return result

    def _root(self, x: Tensor) -> Tensor:
        """Give ``(d^2 / D)^(1/3)``, [B]."""
        r = self._scores(x) - self.center
        along = r @ self.axes
        outside = (r.square().sum(dim=1) - along.square().sum(dim=1)).clamp(min=0)
        squared = (along.square() * self.precision).sum(dim=1)
        if self.axes.shape[1] < self.axes.shape[0]:
            squared = squared + outside * self.rest
        root: Tensor = (squared / r.shape[1]).pow(1 / 3)
        return root

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        # The sizes are known only from the data: take those that were saved.
        for name, value in list(self.named_buffers()):
            saved = state_dict.get(prefix + name)
            if saved is not None and saved.shape != value.shape:
                setattr(self, name, value.new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
        if self.fitted:
            self._tabulate()


def _smaller_knots(knots: Tensor, values: Tensor) -> Tensor:
    """Give what `torch.searchsorted` gives [D, B], how many knots are smaller, by operations that other runtimes have.

    The knots [D, Q] stand in groups: one step finds the group, one the place in it. Two large operations take a single
    sample less time than ``log2 Q`` small ones. Counted in float32: exact, and faster than in int64.
    """
    features, size = knots.shape
    groups = -(-size // _GROUP)
    beyond = knots.new_full((features, groups * _GROUP - size), torch.inf)
    grouped = torch.cat([knots, beyond], dim=1).view(features, groups, _GROUP)
    group = _count(grouped[:, None, :-1, -1] < values[..., None])
    first = torch.arange(features, device=knots.device)[:, None] * groups
    members = F.embedding(first + group, grouped.view(-1, _GROUP))
    return group * _GROUP + _count(members < values[..., None])


def _count(found: Tensor) -> Tensor:
    return found.sum(dim=-1, dtype=torch.float32).long()


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
