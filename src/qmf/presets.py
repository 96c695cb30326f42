"""The published variants of the method, each as a handful of choices."""

from __future__ import annotations

from dataclasses import dataclass

from qmf.ranking import Gap

__all__ = ["PRESETS", "Preset", "get_preset"]


@dataclass(frozen=True)
class Preset:
    """Choices that make one variant of the method; every one can be overridden where it is used.

    Attributes
    ----------
    uncertainty : str
        Key of `qmf.uncertainty.ESTIMATORS`.
    weighting : str
        Key of `qmf.weighting.WEIGHTINGS`.
    detach_weights : bool
        If True, no gradient flows through the weights of the fused output.
    ranking_weight : float
        ``lambda``, the weight of the ranking regulariser.
    gap : {"margin", "slack"}
        Sign of the last term of the regulariser; see `qmf.ranking.ranking_loss`.
    record_first : bool
        If True, the step's own loss is in the history before the regulariser reads it.
    keeps_history : bool
        If True, losses are recorded even where no regulariser reads them: they say which samples stayed hard.
    """

    uncertainty: str = "energy"
    weighting: str = "linear"
    detach_weights: bool = False
    ranking_weight: float = 0.1
    gap: Gap = "margin"
    record_first: bool = False
    keeps_history: bool = False


PRESETS: dict[str, Preset] = {
    "robust": Preset(uncertainty="credibility", weighting="reserved", ranking_weight=0.0, keeps_history=True),
    "paper": Preset(),
    "official-rgbd": Preset(gap="slack"),
    "official-text-image": Preset(detach_weights=True, ranking_weight=1.0, gap="slack", record_first=True),
    "static": Preset(weighting="constant", ranking_weight=0.0),
}
"""``robust``: weights by credibility, see `qmf.uncertainty.Credibility`. ``paper``: the method as written.
``official-*``: what the released code computes. ``static``: late fusion with the same unimodal losses and constant
weights, the matched baseline."""


def get_preset(name: str) -> Preset:
    """Give a preset by name.

    Parameters
    ----------
    name : str
        Key of `PRESETS`.

    Returns
    -------
    Preset
        Its choices.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    from qmf.errors import ConfigError

    if name not in PRESETS:
        raise ConfigError(f"preset={name!r} does not exist; expected one of {', '.join(PRESETS)}.")
    return PRESETS[name]
