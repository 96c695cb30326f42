"""The ranking regulariser: a sample that has been harder should be trusted less."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

__all__ = ["Gap", "Pairs", "ranking_loss"]

Pairs = Literal["adjacent", "all"]
Gap = Literal["margin", "slack"]


def ranking_loss(
    weights: Tensor, kappa: Tensor, known: Tensor, *, pairs: Pairs = "adjacent", gap: Gap = "margin"
) -> Tensor:
    """Give ``L_reg^m``, the mean over pairs (i, j) of ``max(0, g (w_i - w_j) + |kappa_i - kappa_j|)``.

    ``g = sign(kappa_i - kappa_j)``. The wanted order is ``kappa_i >= kappa_j  <=>  w_i <= w_j``; a wrong order, or too
    small a gap between the weights, costs. A pair of equal histories has no wanted order and costs nothing.

    Parameters
    ----------
    weights : Tensor [B, M]
        ``w^m``.
    kappa : Tensor [B, M]
        Normalised history in [0, 1]; no gradient flows into it.
    known : Tensor [B, M], bool
        Where both a weight and a history exist; pairs with any other sample do not count.
    pairs : {"adjacent", "all"}
        ``"adjacent"``: each sample with the next one in the batch, wrapping, as the paper. ``"all"``: every pair.
    gap : {"margin", "slack"}
        ``"margin"``: the paper. ``"slack"``: the official code, where the last term enters with the other sign,
        ``max(0, g (w_i - w_j) - |kappa_i - kappa_j|)``.

    Returns
    -------
    Tensor [M]
        One loss per modality; 0 where no pair counts.

    Notes
    -----
    O(B M) for adjacent pairs, O(B^2 M) for all.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 3.3, the regularisation term; Moon et al., Confidence-Aware Learning, ICML
    2020, for the form with a slack.

    Examples
    --------
    The second sample is harder (kappa 1 against 0) and yet trusted more: it costs 0.2 + 1.

    >>> w, kappa = torch.tensor([[0.4], [0.6]]), torch.tensor([[0.0], [1.0]])
    >>> ranking_loss(w, kappa, torch.ones(2, 1, dtype=torch.bool))
    tensor([1.2000])
    """
    if pairs == "adjacent":
        harder, trust = kappa - kappa.roll(-1, 0), weights - weights.roll(-1, 0)
        counts = known & known.roll(-1, 0)
    else:
        harder, trust = kappa[:, None] - kappa[None], weights[:, None] - weights[None]
        distinct = ~torch.eye(len(kappa), dtype=torch.bool, device=kappa.device)
        counts = known[:, None] & known[None] & distinct[..., None]
    g, size = harder.sign(), harder.abs()
    cost = torch.addcmul(size if gap == "margin" else -size, g, trust).relu()
    over = tuple(range(cost.dim() - 1))
    return (cost * counts).sum(over) / counts.sum(over).clamp(min=1)
