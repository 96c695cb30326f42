"""The answer in words, made from the numbers and as ready to say no as yes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from qmf.report.averages import chance_margin, differences, mean, mean_accuracy, split_by_damage
from qmf.report.contents import Comparison, Condition
from qmf.report.wording import count, listing, percent, points, signed

__all__ = ["Tile", "Verdict", "judge", "tiles", "violations"]

_WORTH = 0.005  # a smaller mean difference in accuracy counts as none
_LITTLE = 0.015  # and up to here as a little

Tone = Literal["help", "none", "harm"]


@dataclass(frozen=True)
class Verdict:
    """What the first screen says.

    Attributes
    ----------
    tone : {"help", "none", "harm"}
        Which way it went.
    answer : str
        One short sentence.
    lead : str
        The mean difference behind it.
    extremes : str
        The worst condition, and the best.
    guarantee : str
        Where Theorem 2 of the paper says nothing, if anywhere.
    guarantee_broken : bool
        Whether there is such a condition.
    certainty : str
        What may be chance.
    """

    tone: Tone
    answer: str
    lead: str
    extremes: str
    guarantee: str
    guarantee_broken: bool
    certainty: str


@dataclass(frozen=True)
class Tile:
    """Two accuracies side by side: of the dynamic and of the static method, and their difference, as text."""

    label: str
    dynamic: str
    static: str
    difference: str
    tone: Tone


def judge(comparison: Comparison) -> Verdict:
    """Say whether dynamic fusion helped, did not help or did harm, and how far that can be believed.

    Parameters
    ----------
    comparison : Comparison
        What was measured.

    Returns
    -------
    Verdict
        Plain text, not yet escaped for HTML.
    """
    dynamic = comparison.methods[0]
    gap = mean(difference for difference, _ in differences(comparison))
    little = " a little" if abs(gap) < _LITTLE else ""
    answers: dict[Tone, str] = {
        "help": f"{dynamic} helped{little} here.",
        "none": f"{dynamic} did not help here.",
        "harm": f"{dynamic} made it{little} worse here.",
    }
    broken = any(violations(condition) for condition in comparison.conditions)
    return Verdict(
        tone=_tone(gap),
        answer=answers[_tone(gap)] if math.isfinite(gap) else "Nothing to compare: no accuracy was measured.",
        lead=_lead(comparison, gap),
        extremes=_extremes(comparison),
        guarantee=_guarantee(comparison),
        guarantee_broken=broken,
        certainty=_certainty(comparison),
    )


def violations(condition: Condition) -> list[str]:
    """Give the modalities whose weight rises with their loss, ``r(w^m, l^m) > 0``, against Theorem 2 (b)."""
    return [name for name, r in condition.weight_loss_correlation.items() if r > 0]


def tiles(comparison: Comparison) -> list[Tile]:
    """Give the accuracies of the first screen: nothing damaged, the mean over damage, and the worst condition."""
    clean, damaged = split_by_damage(comparison)
    parts = [("Nothing damaged", clean), (f"Damaged, mean of {count(len(damaged), 'condition')}", damaged)]
    ordered = differences(comparison)
    if ordered:
        parts.append((f"Worst for {comparison.methods[0]}: {ordered[0][1].name}", [ordered[0][1]]))
    return [_tile(label, conditions, comparison) for label, conditions in parts if conditions]


def _tile(label: str, conditions: list[Condition], comparison: Comparison) -> Tile:
    first, second = (mean_accuracy(conditions, method) for method in comparison.methods[:2])
    gap = first - second
    return Tile(label, percent(first), percent(second), signed(100 * gap, 1), _tone(gap))


def _tone(gap: float) -> Tone:
    if not abs(gap) >= _WORTH:
        return "none"
    return "help" if gap > 0 else "harm"


def _compared(gap: float) -> str:
    if round(100 * gap, 1) == 0:
        return "no better and no worse"
    return f"{points(gap)} {'better' if gap > 0 else 'worse'}"


def _lead(comparison: Comparison, gap: float) -> str:
    dynamic, static = comparison.methods[:2]
    conditions = [condition for _, condition in differences(comparison)]
    if not conditions:
        return "Accuracy is not a number in any condition."
    over = "in the one condition tested" if len(conditions) == 1 else f"on average over {len(conditions)} conditions"
    accuracies = [percent(mean_accuracy(conditions, method)) for method in (dynamic, static)]
    return (
        f"{dynamic} was right on {accuracies[0]} of the test samples and {static} on {accuracies[1]}, {over}:"
        f" {dynamic} was {_compared(gap)}."
    )


def _extremes(comparison: Comparison) -> str:
    ordered = differences(comparison)
    if len(ordered) < 2:
        return "Only one condition was tested, so nothing can be said about others."
    (low, worst), (high, best) = ordered[0], ordered[-1]
    behind = [condition for gap, condition in ordered if round(100 * gap, 1) < 0]
    start = f"{comparison.methods[0]} was behind in {len(behind)} of {len(ordered)} conditions."
    return f"{start} Its worst: {worst.name}, {_compared(low)}. Its best: {best.name}, {_compared(high)}."


def _guarantee(comparison: Comparison) -> str:
    broken = [condition.name for condition in comparison.conditions if violations(condition)]
    if broken:
        of = "the one condition" if len(comparison.conditions) == 1 else f"{len(comparison.conditions)} conditions"
        return (
            f"The paper's guarantee does not hold in {len(broken)} of {of}: {listing(broken)}. It asks that a view's"
            " weight falls when its loss grows; there, for at least one view, it rises."
        )
    measured = [r for c in comparison.conditions for r in c.weight_loss_correlation.values() if math.isfinite(r)]
    if not measured:
        return "Whether weights fall when losses grow, as the paper's guarantee asks, could not be measured."
    return (
        "Wherever it could be measured, a view's weight falls when its loss grows: the sign the paper's guarantee"
        " asks for. The guarantee compares error bounds; it promises no accuracy."
    )


def _certainty(comparison: Comparison) -> str:
    pairs = [[c.accuracy[m] for m in comparison.methods[:2]] for _, c in differences(comparison)]
    margins = [margin for pair in pairs if math.isfinite(margin := chance_margin(pair, comparison.num_test))]
    start = comparison.evidence
    if not margins:
        return start
    return (
        f"{start} With {count(comparison.num_test, 'test sample')}, a difference below about {points(max(margins))}"
        " in a single condition may be chance."
    )
