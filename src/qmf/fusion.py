"""Quality-aware multimodal fusion: the model.

Each modality is classified on its own, its uncertainty decides its weight for this very sample, and the fused logits
are the weighted sum: ``f(x) = sum_m w^m(x) f^m(x^m)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qmf.availability import which_are_there
from qmf.errors import ConfigError, DataError
from qmf.heads import classification_heads, feature_widths
from qmf.precision import full_precision
from qmf.presets import get_preset
from qmf.types import FusionOutput
from qmf.uncertainty import ESTIMATORS, Credibility, UncertaintyEstimator
from qmf.uncertainty.credibility import believe
from qmf.weighting import ConstantWeights, named_weighting

__all__ = ["QualityAwareFusion", "fuse_credible", "fuse_logits"]

_ROWS = 64  # per pass through an encoder while typicality is fitted


def fuse_logits(
    unimodal_logits: Tensor,
    uncertainty: Tensor,
    present: Tensor | None,
    weighting: nn.Module,
    *,
    detach_weights: bool = False,
) -> FusionOutput:
    """Turn unimodal logits and their uncertainty into weights and fused logits.

    Parameters
    ----------
    unimodal_logits : Tensor [B, M, K]
        ``f^m``; whatever stands where a modality is absent is ignored.
    uncertainty : Tensor [B, M]
        ``u^m``, higher = worse.
    present : Tensor [B, M], bool, or None
        True where a modality is there; None = everywhere.
    weighting : nn.Module
        Map from ``(u, present)`` to ``w [B, M]``, see `qmf.weighting`.
    detach_weights : bool, default False
        If True, no gradient flows through the weights.

    Returns
    -------
    FusionOutput
        In float32 (float64 if the logits are). A row with no modality at all has NaN weights and logits: never a
        silent guess.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 2: ``f(x) = sum_m w^m(x) f^m(x^m)``.
    """
    f, u = full_precision(unimodal_logits), uncertainty
    if present is None:
        w = weighting(u, None)
        present = torch.ones_like(u, dtype=torch.bool)
    else:
        absent = ~present
        f, u = f.masked_fill(absent[..., None], 0.0), u.masked_fill(absent, torch.nan)
        w = weighting(u, present).masked_fill(absent.all(dim=-1, keepdim=True), torch.nan)
    trusted = w.detach() if detach_weights else w
    fused = (trusted[..., None] * f).sum(dim=1)  # not a matrix product: autocast would round it to half precision
    return FusionOutput(fused, f, w, u, present)


def fuse_credible(
    unimodal_logits: Tensor,
    credibility: Credibility,
    vectors: Sequence[Tensor],
    present: Tensor | None,
    weighting: nn.Module,
    joint: Tensor | None = None,
    evidence: Tensor | None = None,
) -> FusionOutput:
    """Turn unimodal logits into weights by credibility and the posterior of the classes.

    Parameters
    ----------
    unimodal_logits : Tensor [B, M, K]
        ``f^m``.
    credibility : Credibility
        In training mode all modalities count the same: heads that learn to be weighed down learn less.
    vectors : sequence of M tensors
        What typicality is judged by.
    present : Tensor [B, M], bool, or None
        True where a modality is there; None = everywhere.
    weighting : nn.Module
        As in `fuse_logits`; not asked in training.
    joint : Tensor [B, K], optional
        Logits of a head that sees the features of all modalities; counts where all are there.
    evidence : Tensor [B, M], optional
        What `credibility` said of `vectors`, which then are not looked at.

    Returns
    -------
    FusionOutput
        In evaluation, ``logits`` is the logarithm of the posterior; see `qmf.uncertainty.credibility.believe`. In
        training, where all is believed, it is `joint`, or the mean of the logits where a modality is absent.
    """
    if credibility.training:
        equal = unimodal_logits.new_zeros(unimodal_logits.shape[:2])
        output = fuse_logits(unimodal_logits, equal, present, ConstantWeights())
        return output if joint is None else output._replace(logits=_where_complete(joint, output.logits, present))
    f = full_precision(unimodal_logits)
    evidence = credibility.evidence(vectors, f) if evidence is None else evidence
    belief = believe(f, evidence, present, None if joint is None else full_precision(joint))
    output = fuse_logits(f, belief.uncertainty, present, weighting)
    nothing = ~output.present.any(dim=-1, keepdim=True)
    return output._replace(
        logits=belief.log_posterior.masked_fill(nothing, torch.nan),
        evidence=evidence.masked_fill(~output.present, torch.nan),
    )


def _where_complete(joint: Tensor, otherwise: Tensor, present: Tensor | None) -> Tensor:
    chosen = full_precision(joint)
    return chosen if present is None else torch.where(present.all(dim=1, keepdim=True), chosen, otherwise)


class QualityAwareFusion(nn.Module):
    """QMF: weigh each modality by how certain it is about this sample, then add up.

    Parameters
    ----------
    encoders : mapping of str to nn.Module
        One per modality, from its tensor ``[B, ...]`` to features ``[B, D_m]``. Their order is the order of all
        ``[B, M]`` outputs.
    num_classes : int
        K, at least 2.
    preset : {"robust", "paper", "official-rgbd", "official-text-image", "static"}
        Ours, or which published variant; see `qmf.presets`.
    uncertainty : str or UncertaintyEstimator, optional
        Overrides the preset's estimator: a key of `qmf.uncertainty.ESTIMATORS` or a module of your own.
    weighting : str or nn.Module, optional
        Overrides the preset's map from uncertainty to weight: a key of `qmf.weighting.WEIGHTINGS`, "linear:BETA" or
        your own.
    heads : mapping of str to nn.Module, optional
        From features to logits ``[B, K]``. By default a linear layer per modality, for which each encoder must have an
        attribute ``out_features``. Give ``nn.Identity()`` where an encoder already gives logits.

    Raises
    ------
    ConfigError
        If there is no encoder, fewer than two classes, an unknown name, or a width that cannot be known.

    Notes
    -----
    O(B M K) on top of the encoders. An encoder sees zeros in place of an absent modality and its output there is
    discarded, gradient included; layers that mix samples (batch normalisation in training) still see the zero rows.

    References
    ----------
    QMF (Zhang et al., ICML 2023), section 3.

    Examples
    --------
    >>> model = QualityAwareFusion({"a": nn.Linear(3, 8), "b": nn.Linear(5, 8)}, num_classes=2)
    >>> out = model({"a": torch.zeros(4, 3), "b": torch.zeros(4, 5)})
    >>> out.logits.shape, out.weights.shape
    (torch.Size([4, 2]), torch.Size([4, 2]))
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        num_classes: int,
        *,
        preset: str = "paper",
        uncertainty: str | UncertaintyEstimator | None = None,
        weighting: str | nn.Module | None = None,
        heads: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        if not encoders:
            raise ConfigError("encoders is empty: expected at least one modality.")
        if num_classes < 2:
            raise ConfigError(f"num_classes={num_classes}: expected at least 2.")
        choices = get_preset(preset)
        self.modalities = tuple(encoders)
        self.num_classes = num_classes
        self.detach_weights = choices.detach_weights
        # Lists, not ModuleDicts: a modality may have any name, and its parameters are keyed by its position.
        self.encoders = nn.ModuleList(encoders.values())
        self.widths = feature_widths(encoders, num_classes, heads or {})
        self.heads = classification_heads(dict(zip(encoders, self.widths, strict=True)), num_classes, heads or {})
        self.uncertainty = self._estimator(uncertainty or choices.uncertainty)
        self.weighting = (
            weighting
            if isinstance(weighting, nn.Module)
            else named_weighting(weighting, choices.weighting, self.uncertainty.ceiling(num_classes))
        )
        several = isinstance(self.uncertainty, Credibility) and len(encoders) > 1
        self.joint = nn.Linear(sum(self.widths), num_classes) if several else None

    def _estimator(self, choice: str | UncertaintyEstimator) -> UncertaintyEstimator:
        if isinstance(choice, UncertaintyEstimator):
            return choice
        if choice not in ESTIMATORS:
            raise ConfigError(f"uncertainty={choice!r} does not exist; expected one of {', '.join(ESTIMATORS)}.")
        return ESTIMATORS[choice](len(self.modalities), self.widths)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor | None = None) -> FusionOutput:
        """Classify a batch, each sample from the modalities it has.

        Parameters
        ----------
        inputs : mapping of str to Tensor [B, ...]
            A tensor per modality. A modality may be left out: it is then absent for the whole batch.
        present : Tensor [B, M], bool, optional
            True where a modality is there. By default, all that `inputs` holds. Whatever stands in the tensor of an
            absent modality, NaN included, has no effect on outputs or gradients.

        Returns
        -------
        FusionOutput
            Fused and unimodal logits, weights, uncertainty, present.

        Raises
        ------
        DataError
            If `inputs` is empty or names an unknown modality, `present` has the wrong shape or type or marks a modality
            that `inputs` lacks, or a sample has no modality at all. (On an accelerator, where looking would stall the
            device, the last two are not looked for: such a row's outputs are NaN, such a modality counts as absent.)
        """
        present = which_are_there(inputs, present, self.modalities)
        return self.fuse(*self.opinions(inputs, present), present)

    def opinions(
        self, inputs: Mapping[str, Tensor], present: Tensor | None
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Give what each modality says by itself, whichever others are there: the first arguments of `fuse`."""
        x = [self._input(m, name, inputs, present) for m, name in enumerate(self.modalities)]
        features = [self._features(m, v, inputs) for m, v in enumerate(x)]
        return self.heads(features), features, self._vectors(x, features)

    def fuse(
        self,
        logits: Tensor,
        features: Sequence[Tensor],
        vectors: Sequence[Tensor],
        present: Tensor | None,
        evidence: Tensor | None = None,
    ) -> FusionOutput:
        """Do what follows the encoders and heads.

        Parameters
        ----------
        logits : Tensor [B, M, K]
            ``f^m``.
        features : sequence of M tensors [B, D_m]
            What the heads saw.
        vectors : sequence of M tensors
            What typicality is judged by; not looked at in training.
        present : Tensor [B, M], bool, or None
            True where a modality is there; None = everywhere.
        evidence : Tensor [B, M], optional
            See `fuse_credible`.
        """
        f = full_precision(logits)
        if isinstance(self.uncertainty, Credibility):
            joint = None if self.joint is None else _of_all(self.joint, features, present)
            return fuse_credible(f, self.uncertainty, vectors, present, self.weighting, joint, evidence)
        u = self.uncertainty(f, features)
        return fuse_logits(f, u, present, self.weighting, detach_weights=self.detach_weights)

    @torch.no_grad()
    def fit_typicality(self, inputs: Mapping[str, Tensor], present: Tensor) -> None:
        """Learn from the training samples what is typical, once the encoders are trained.

        Parameters
        ----------
        inputs : mapping of str to Tensor [N, ...]
            All modalities.
        present : Tensor [N, M], bool
            True where a modality is there.

        Raises
        ------
        DataError
            If a modality is not among the inputs.

        Notes
        -----
        Does nothing unless the uncertainty is `Credibility`, as in the preset "robust".
        """
        if not isinstance(self.uncertainty, Credibility):
            return
        was_training, device = self.training, next(self.parameters()).device
        self.eval()
        vectors = []
        for m, name in enumerate(self.modalities):
            x = self._input(m, name, inputs, present)
            if x is None:
                raise DataError(
                    f"inputs has no modality {name!r}: typicality is learnt from all of {list(self.modalities)}."
                )
            judged = getattr(self.encoders[m], "takes_vectors", False)
            encoder = self.encoders[m]
            vectors.append(x.cpu() if judged else torch.cat([encoder(v.to(device)).cpu() for v in x.split(_ROWS)]))
        self.uncertainty.cpu().fit(vectors, present.cpu())
        self.uncertainty.to(device)
        self.train(was_training)

    def _input(self, m: int, name: str, inputs: Mapping[str, Tensor], present: Tensor | None) -> Tensor | None:
        """Give a modality's tensor with zeros where it is absent; None if it is absent from the batch."""
        if name not in inputs or present is None:
            return inputs.get(name)
        x = inputs[name]
        return x.masked_fill(~present[:, m].view(-1, *[1] * (x.dim() - 1)), 0)

    def _features(self, m: int, x: Tensor | None, inputs: Mapping[str, Tensor]) -> Tensor:
        if x is None:
            first = next(iter(inputs.values()))
            dtype = first.dtype if first.is_floating_point() else torch.get_default_dtype()
            return torch.zeros(len(first), self.widths[m], device=first.device, dtype=dtype)
        features: Tensor = self.encoders[m](x)
        return features

    def _vectors(self, x: list[Tensor | None], features: list[Tensor]) -> list[Tensor]:
        """Give what typicality is judged by: the vectors that come in, else features; empty where left out."""
        chosen = []
        for encoder, v, h in zip(self.encoders, x, features, strict=True):
            judged = v if getattr(encoder, "takes_vectors", False) else h
            chosen.append(h[:0] if v is None or judged is None else judged)
        return chosen


def _of_all(joint: nn.Linear, features: Sequence[Tensor], present: Tensor | None) -> Tensor:
    """Give the logits [B, K] of a layer on the features of all modalities side by side, without laying them there.

    A sample that lacks a modality has zeros for features: it takes no part in what the layer learns.
    """
    h = [v.flatten(1) for v in features]
    if present is not None:
        lacking = ~present.all(dim=1, keepdim=True)
        h = [v.masked_fill(lacking, 0.0) for v in h]
    parts = joint.weight.split([v.shape[1] for v in h], dim=1)
    of_each = [full_precision(F.linear(v, w)) for v, w in zip(h, parts, strict=True)]
    return torch.stack(of_each).sum(dim=0) + joint.bias
