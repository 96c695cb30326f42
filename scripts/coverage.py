"""How often sets hold the true class, how often answers that are given are right, and what is withheld and why.

Prints the tables of docs/answering.md. Test samples are as they are, for every combination of views, and damaged; the
classifier is calibrated on 35 % of the training samples, which it has not been trained on.

On gas_drift the test samples are later than the others: sensors have aged, and nothing is promised.

Usage: QMF_DATA=FOLDER python scripts/coverage.py [--seeds 10] [handwritten] [scene15] [gas_drift]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qmf import Prediction, QMFClassifier
from qmf.abstention import ATYPICAL, CONFLICT
from qmf.benchmark.gas_drift import load_gas_drift
from qmf.benchmark.recipe import load_recipe
from qmf.corruptions import corrupt_vectors, swap_partner
from qmf.data import DataSchema, ModalityColumns, Samples, encode_labels, read_samples
from qmf.datasets import load_handwritten
from qmf.evaluation import evaluate_prediction, evaluate_sets
from qmf.randomness import keyed_generator

TESTED = {"handwritten": 0.4, "scene15": 0.2}  # 800 and 897 samples
HELD_OUT, EPOCHS = 0.35, 60
RISKS = (0.05, 0.1)

Row = dict[str, float]


def main() -> None:
    """Print the tables for each data set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=[*TESTED, "gas_drift"])
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    for name in arguments.names:
        found = [of_seed(*split(name, seed), seed) for seed in range(arguments.seeds)]
        for title, table in (("sets", sets_table), ("answers", answers_table), ("reasons", reasons_table)):
            print(f"\n**{name}: {title}**\n\n{table(found)}", flush=True)


def read_recipe(name: str) -> Samples:
    """Read the feature views of a shipped recipe."""
    data = load_recipe(name).data
    places = {n: ModalityColumns(tuple(m.columns) or (n,), m.transpose, m.type) for n, m in data.modalities.items()}
    return read_samples(str(data.train), DataSchema(places, data.label, data.id), require_label=True)


def split(name: str, seed: int) -> tuple[Samples, Samples]:
    """Give the samples that are trained on and those that are tested."""
    if name == "gas_drift":
        return load_gas_drift(Path(str(load_recipe(name).data.train)))
    whole = load_handwritten() if name == "handwritten" else read_recipe(name)
    labels, tested = np.asarray(whole.labels), np.zeros(len(whole), dtype=bool)
    for label in np.unique(labels):
        rows = keyed_generator(seed, "split", str(label)).permutation(np.flatnonzero(labels == label))
        tested[rows[: round(len(rows) * TESTED[name])]] = True
    return whole.take(~tested), whole.take(tested)


def of_seed(training: Samples, test: Samples, seed: int) -> dict[str, dict[str, Row]]:
    """Train on one split, and give what is measured: by pattern of views, and by damage."""
    classifier = QMFClassifier(epochs=EPOCHS, validation_fraction=HELD_OUT, random_state=seed).fit(training)
    names = training.modalities
    patterns = [kept for size in range(len(names), 0, -1) for kept in combinations(names, size)]
    spread = {name: (x.mean(axis=0), x.std(axis=0)) for name, x in training.features.items()}
    return {
        "patterns": {"+".join(kept): of_pattern(classifier, only(test, kept)) for kept in patterns},
        "damages": {title: of_damage(classifier, damage(test, spread, seed)) for title, damage in DAMAGES.items()},
    }


def of_pattern(classifier: QMFClassifier, test: Samples) -> Row:
    """Measure sets, probabilities and answers on samples that all have the same views."""
    target = encode_labels(test, classifier.classes_)
    prediction = classifier.predict_full(test)
    row = {key: evaluate_prediction(prediction, target)[key] for key in ("accuracy", "nll", "ece")}
    for method in ("lac", "aps"):
        sets = evaluate_sets(classifier.predict_set(prediction, method=method), target)
        row |= {f"{method} {key}": value for key, value in sets.items()}
    plain = uncalibrated(classifier, test)
    row |= {f"plain {key}": evaluate_prediction(plain, target)[key] for key in ("nll", "ece")}
    for risk in RISKS:
        given = ~classifier.predict_full(test, risk=risk).abstain
        wrong = (prediction.labels != classifier.classes_[target])[given]
        row |= {f"given {risk}": given.mean(), f"wrong {risk}": wrong.mean() if given.any() else np.nan}
    return row


def uncalibrated(classifier: QMFClassifier, test: Samples) -> Prediction:
    """Predict as if there were no calibration."""
    calibration, classifier.calibration_ = classifier.calibration_, None
    try:
        return classifier.predict_full(test)
    finally:
        classifier.calibration_ = calibration


def of_damage(classifier: QMFClassifier, test: Samples) -> Row:
    """Measure what is withheld, and how right the answers are that are withheld or given."""
    target = encode_labels(test, classifier.classes_)
    prediction = classifier.predict_full(test)
    right = prediction.labels == classifier.classes_[target]
    row = {reason: (prediction.abstain_reason == reason).mean() for reason in (ATYPICAL, CONFLICT)}
    for title, rows in {"withheld": prediction.abstain, "given": ~prediction.abstain}.items():
        row[f"right {title}"] = right[rows].mean() if rows.any() else np.nan
    return row


def only(test: Samples, kept: tuple[str, ...]) -> Samples:
    """Give the samples with those views alone."""
    return test.without(*(name for name in test.modalities if name not in kept))


Spread = dict[str, tuple[NDArray[np.floating], NDArray[np.floating]]]
Damage = Callable[[Samples, Spread, int], Samples]


def corrupted(test: Samples, names: tuple[str, ...], spread: Spread, seed: int, kind: str) -> Samples:
    """Damage whole views: "zeroed", "shuffled" (features in another order), or noise of 10 standard deviations."""
    features = dict(test.features)
    for name in names:
        x, (center, scale) = features[name], spread[name]
        if kind == "zeroed":
            features[name] = np.zeros_like(x)
        elif kind == "noise":
            features[name] = corrupt_vectors(
                x,
                "feature_gaussian",
                scale=scale,
                center=center,
                sigma=10.0,
                seed=seed,
                sample_ids=test.ids,
                modality=name,
            )
        else:
            orders = (keyed_generator(seed, "shuffled", str(key), name).permutation(x.shape[1]) for key in test.ids)
            features[name] = np.stack([row[order] for row, order in zip(x, orders, strict=True)])
    return replace(test, features=features)


def swapped(test: Samples, names: tuple[str, ...], seed: int) -> Samples:
    """Give views of another sample of another class, the same one for all of `names`."""
    partner = swap_partner(test.ids, test.labels, seed=seed, modality="all", other_class=True)
    return replace(test, features={n: x[partner] if n in names else x for n, x in test.features.items()})


def half(test: Samples) -> tuple[str, ...]:
    """Give the first half of the views."""
    return test.modalities[: len(test.modalities) // 2]


def pair(test: Samples) -> tuple[str, ...]:
    """Give two views that are good on their own: the second and the third, profile and karhunen of handwritten."""
    return test.modalities[1:3] if len(test.modalities) > 3 else test.modalities[:2]


DAMAGES: dict[str, Damage] = {
    "none": lambda test, spread, seed: test,
    "all views zeroed": lambda t, spread, seed: corrupted(t, t.modalities, spread, seed, "zeroed"),
    "all views: noise of 10σ": lambda t, spread, seed: corrupted(t, t.modalities, spread, seed, "noise"),
    "all views: features in another order": lambda t, spread, seed: corrupted(
        t, t.modalities, spread, seed, "shuffled"
    ),
    "half of the views zeroed": lambda t, spread, seed: corrupted(t, half(t), spread, seed, "zeroed"),
    "half of the views of another sample": lambda t, spread, seed: swapped(t, half(t), seed),
    "two views": lambda t, spread, seed: only(t, pair(t)),
    "two views, one of another sample": lambda t, spread, seed: only(swapped(t, pair(t)[:1], seed), pair(t)),
    "two views, one zeroed": lambda t, spread, seed: only(corrupted(t, pair(t)[:1], spread, seed, "zeroed"), pair(t)),
}


def averages(found: list[dict[str, dict[str, Row]]], part: str) -> dict[str, Row]:
    """Give the mean over seeds."""

    def mean(values: list[float]) -> float:
        known = [value for value in values if not np.isnan(value)]
        return float(np.mean(known)) if known else np.nan

    return {
        title: {key: mean([f[part][title][key] for f in found]) for key in row} for title, row in found[0][part].items()
    }


def grouped(found: list[dict[str, dict[str, Row]]]) -> dict[str, list[Row]]:
    """Give means over seeds, by pattern; by number of views where there are more than three."""
    means = averages(found, "patterns")
    if len(means) <= 7:
        return {title.replace("+", ", "): [row] for title, row in means.items()}
    groups: dict[str, list[Row]] = {}
    for title, row in means.items():
        size = title.count("+") + 1
        groups.setdefault(f"{size} view{'s' if size > 1 else ''}", []).append(row)
    return {f"{title} ({len(rows)})" if len(rows) > 1 else title: rows for title, rows in groups.items()}


def shown(rows: list[Row], key: str, factor: float = 100, digits: int = 1) -> str:
    """Give the mean of a number, with its range where there are several rows."""
    values = factor * np.array([row[key] for row in rows])
    if np.isnan(values).all():
        return "–"
    text = f"{np.nanmean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({np.nanmin(values):.{digits}f} to {np.nanmax(values):.{digits}f})"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Give a table in Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def sets_table(found: list[dict[str, dict[str, Row]]]) -> str:
    """Give coverage and size of 90 % sets, and what the temperature does for the probabilities."""
    head = ["views", "accuracy", "LAC coverage", "classes", "APS coverage", "classes"]
    head += ["nll, plain", "nll", "ece, plain", "ece"]
    lines = []
    for title, rows in grouped(found).items():
        line = [title, shown(rows, "accuracy")]
        for method in ("lac", "aps"):
            line += [shown(rows, f"{method} coverage"), shown(rows, f"{method} mean_size", 1, 2)]
        for key in ("plain nll", "nll", "plain ece", "ece"):
            line.append(f"{np.mean([row[key] for row in rows]):.3f}")
        lines.append(line)
    every = [row[f"{method} coverage"] for rows in grouped(found).values() for row in rows for method in ("lac", "aps")]
    inside = sum(0.885 <= value <= 0.915 for value in every)
    span = f"{100 * min(every):.2f} to {100 * max(every):.2f} %"
    return f"{table(head, lines)}\n\nCoverage {span}; {inside} of {len(every)} between 88.5 and 91.5 %."


def answers_table(found: list[dict[str, dict[str, Row]]]) -> str:
    """Give how much is answered with a risk target, how much of that is wrong, and how often the target is missed."""
    head = ["views", *(text for risk in RISKS for text in (f"answered, risk {risk:g}", "wrong", "target missed"))]
    lines = []
    for title, rows in grouped(found).items():
        line = [title]
        size = title.split(" ")[0]
        for risk in RISKS:
            line += [shown(rows, f"given {risk}"), shown(rows, f"wrong {risk}")]
            wrong = [
                f["patterns"][name][f"wrong {risk}"]
                for f in found
                for name in f["patterns"]
                if name.replace("+", ", ") == title or (len(f["patterns"]) > 7 and str(name.count("+") + 1) == size)
            ]
            line.append(f"{sum(w > risk for w in wrong)} of {len(wrong)}")
        lines.append(line)
    return table(head, lines)


def reasons_table(found: list[dict[str, dict[str, Row]]]) -> str:
    """Give what is withheld and why when views are damaged."""
    head = ["damage", "everything atypical", "conflict", "right among withheld", "right among answered"]
    keys = (ATYPICAL, CONFLICT, "right withheld", "right given")
    means = averages(found, "damages")
    return table(head, [[title, *(shown([row], key) for key in keys)] for title, row in means.items()])


if __name__ == "__main__":
    main()
