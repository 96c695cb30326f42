"""Theorem 2 in words: whether fusion with these weights is certified, not certified or harmful."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from qmf.theory.bootstrap import CovarianceTest

__all__ = ["Status", "Verdict", "judge", "status_of"]

Status = Literal["certified", "not certified", "harmful"]


@dataclass(frozen=True)
class Verdict:
    """What Theorem 2 says of weights on a sample.

    Attributes
    ----------
    status : {"certified", "not certified", "harmful"}
        See `status_of`.
    sentence : str
        The same with its reason: modalities and numbers.
    """

    status: Status
    sentence: str


def status_of(tests: Mapping[str, CovarianceTest], total: CovarianceTest) -> Status:
    """Say what follows for the bound of dynamic weights beside static ones with the same means.

    Parameters
    ----------
    tests : mapping of str to CovarianceTest
        One per modality that is there.
    total : CovarianceTest
        Of the sum.

    Returns
    -------
    {"certified", "not certified", "harmful"}
        Certified: the upper end is at most 0 for every modality. Harmful: the lower end of the sum is above 0, so the
        bound is looser than the static one. Not certified: neither is shown.

    Notes
    -----
    No correction for the number of modalities: to certify, *all* tests must reject at level delta, and such an
    intersection-union test has level delta itself, however the modalities depend on one another.

    References
    ----------
    QMF (Zhang et al., ICML 2023), Theorem 2.
    Berger, Multiparameter Hypothesis Testing and Acceptance Sampling, Technometrics 1982.
    """
    if total.lower > 0:
        return "harmful"
    return "certified" if all(test.upper <= 0 for test in tests.values()) else "not certified"


def judge(tests: Mapping[str, CovarianceTest], total: CovarianceTest, *, delta: float = 0.05) -> Verdict:
    """Give the status with its reason; parameters as `status_of`, and the `delta` of the tests.

    Returns
    -------
    Verdict
        Status and sentence.
    """
    status = status_of(tests, total)
    sure = f"with {100 * (1 - delta):g} % confidence"
    if status == "harmful":
        reason = _harmful(tests, total, sure)
    elif status == "certified":
        reason = _certified(tests, total, sure)
    else:
        reason = _not_certified(tests, total, sure)
    return Verdict(status, f"Dynamic fusion is {status} here, because {reason}")


def _certified(tests: Mapping[str, CovarianceTest], total: CovarianceTest, sure: str) -> str:
    if all(test.covariance == 0 and test.upper == 0 for test in tests.values()):
        return "its weights do not vary: it is static fusion, with the same bound."
    name, nearest = max(tests.items(), key=lambda item: item[1].upper)
    every = "the one modality is" if len(tests) == 1 else "every modality is"
    return (
        f"{every} trusted less where it errs more: Cov(weight, loss) is at most 0, {sure}"
        f" (nearest to 0: {name} {nearest.covariance:+.4f}, at most {nearest.upper:+.4f}). The bound of Theorem 1 is"
        f" {-total.covariance:.4f} below that of static weights with the same means."
    )


def _harmful(tests: Mapping[str, CovarianceTest], total: CovarianceTest, sure: str) -> str:
    rising = sorted((t.covariance, name) for name, t in tests.items() if t.covariance > 0)[::-1]
    return (
        f"weights rise where losses rise: Cov(weight, loss) sums to {total.covariance:+.4f}, at least"
        f" {total.lower:+.4f} {sure}, and by that the bound of Theorem 1 is above that of static weights with the same"
        f" means. Above 0 are {_listing([f'{name} {c:+.4f}' for c, name in rising])}."
    )


def _not_certified(tests: Mapping[str, CovarianceTest], total: CovarianceTest, sure: str) -> str:
    rising = [f"{name} ({t.covariance:+.4f}, at least {t.lower:+.4f})" for name, t in tests.items() if t.lower > 0]
    doubtful = [
        f"{name} ({t.covariance:+.4f}, up to {t.upper:+.4f})" for name, t in tests.items() if t.lower <= 0 < t.upper
    ]
    reasons = [f"is above 0 for {_listing(rising)}"] if rising else []
    reasons += [f"may be above 0 for {_listing(doubtful)}"] if doubtful else []
    said = f"Cov(weight, loss) {' and '.join(reasons)}, {sure}."
    if total.upper <= 0:
        return (
            f"{said} In total it is below 0 ({total.covariance:+.4f}, at most {total.upper:+.4f}): the bound of Theorem"
            " 1 is below that of static weights all the same, but Theorem 2 asks it of every modality."
        )
    return f"{said} In total it is {total.covariance:+.4f}, between {total.lower:+.4f} and {total.upper:+.4f}."


def _listing(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
