"""``qmf certify``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from qmf.cli.corrupt import CorruptOption
from qmf.cli.model_data import (
    AbsentOption,
    DataArgument,
    JsonOption,
    ModelArgument,
    damaged_samples,
    labelled_samples,
)
from qmf.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from qmf.theory import Certificate

__all__ = ["certify"]


def certify(
    model_dir: ModelArgument,
    data: DataArgument,
    absent: AbsentOption = None,
    apply: CorruptOption = None,
    delta: Annotated[float, typer.Option(help="Chance that a bound or a one-sided interval fails.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Key of the corruptions, the bootstrap and the Monte Carlo.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Say whether QMF's theory backs weighing per sample on DATA, held-out and labelled, as it is or damaged."""
    from qmf.certification import certify_classifier
    from qmf.estimator import QMFClassifier

    classifier = QMFClassifier.load(model_dir)
    given = labelled_samples(classifier, model_dir, data, absent or [])
    samples = classifier.prepare(damaged_samples(classifier, given, apply or [], seed))
    certificate = certify_classifier(classifier, samples, delta=delta, random_state=seed)
    if as_json:
        print_json(certificate.to_dict())
    else:
        _print(certificate)


def _print(certificate: Certificate) -> None:
    _print_covariances(certificate)
    _print_terms(certificate)
    _print_bounds(certificate)
    say(f"\n{certificate.verdict.sentence}\n")
    for note in certificate.notes:
        say(f"- {note}")


def _print_covariances(certificate: Certificate) -> None:
    columns = ["", "Cov(w, l)", "at least", "at most", "p", "r(w, l)"]
    named = [(t.name, t.test, _shown(t.correlation, "+.3f")) for t in certificate.modalities if t.present]
    rows = [
        [name, *(_shown(x, "+.4f") for x in (test.covariance, test.lower, test.upper)), _shown(test.p, ".4f"), r]
        for name, test, r in (*named, ("sum", certificate.total, ""))
    ]
    title = (
        f"Theorem 2 on {certificate.samples} samples: does the weight w fall where the loss l rises? Each end with"
        f" {100 * (1 - certificate.delta):g} % confidence"
    )
    print_table(title, columns, rows)


def _print_terms(certificate: Certificate) -> None:
    columns = ["", "N", "E(w)", "E(l)", "R", "±", "R at most", "E(w) C"]
    rows = []
    for terms in (terms for terms in certificate.modalities if terms.present):
        shown = [str(terms.present), f"{terms.mean_weight:.3f}", f"{terms.mean_loss:.3f}"]
        if (c := terms.complexity) is not None:
            part = terms.mean_weight * certificate.contraction * c.monte_carlo
            shown += [*(f"{x:.2f}" for x in (c.monte_carlo, c.standard_error, c.norm_bound)), f"{part:.3f}"]
        rows.append([terms.name, *shown])
    title = (
        f"Theorem 1: losses l from 0 to 1, a blind guess has {certificate.loss_of_a_guess:.3f}; R: complexity of a"
        f" head by Monte Carlo, C = {certificate.contraction:.3f} R"
    )
    print_table(title, columns, rows)


def _print_bounds(certificate: Certificate) -> None:
    fusions = list(certificate.fusions.values())
    bounds = [fusion.bound for fusion in fusions]
    rows = [
        ["Term-L, sum of E(w) E(l)", *(f"{b.weighted_loss:.4f}" for b in bounds)],
        ["Term-C, sum of E(w) C", *(_shown(b.complexity, ".4f") for b in bounds)],
        ["Term-Cov, sum of Cov(w, l)", *(f"{b.covariance:+.4f}" for b in bounds)],
        ["confidence term", *(f"{b.confidence:.4f}" for b in bounds)],
        ["bound of Theorem 1", *(_shown(b.theorem_1, ".4f") for b in bounds)],
        ["held-out bound", *(f"{b.held_out:.4f}" for b in bounds)],
        ["mean loss of f", *(f"{fusion.loss:.4f}" for fusion in fusions)],
        ["accuracy of f", *(f"{fusion.accuracy:.4f}" for fusion in fusions)],
    ]
    title = f"bounds on the expected loss, each with probability {1 - certificate.delta:g}; static: constant weights"
    print_table(title, ["", "dynamic", "static, E(w)", "static, equal"], rows)


def _shown(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"
