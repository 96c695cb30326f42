"""Accuracy of the recipes on MVSA-Single and NYU Depth V2, beside what a newcomer would try; for docs/results.md.

Run it as ``QMF_DATA=FOLDER python scripts/real_data_results.py``. Prints Markdown: each modality alone, matched static
fusion, logistic regression on the concatenated frozen features (its C chosen on validation), and QMF; seeds 0 to 2.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qmf import QMFClassifier
from qmf.cli.loading import configuration
from qmf.data import Samples
from qmf.datasets import DATASETS
from qmf.preparation import ModalitySpec, Preparation

SEEDS = (0, 1, 2)
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
RECIPES = Path(__file__).parents[1] / "recipes"
FOLDERS = {"mvsa": "mvsa_single", "nyud2": "nyud2"}
TRAINED_ON = {"mvsa": "train", "nyud2": "train+validation"}
VARIANTS: dict[str, dict[str, Any]] = {
    "static": {"preset": "static"},
    "QMF, paper": {"preset": "paper"},
    "QMF, the recipe (robust)": {},
}


def main() -> None:
    """Measure both data sets."""
    for name in FOLDERS:
        config = configuration(str(RECIPES / f"{name}.yaml"), [])
        parts = encoded(name, config)
        rows = logistic_rows(parts, TRAINED_ON[name])
        parameters = config.model.model_dump() | config.loss.model_dump() | config.training.model_dump()
        for method, changes in VARIANTS.items():
            rows |= fusion_rows(method, parts, TRAINED_ON[name], parameters | changes)
        print(f"\n{name}, {len(parts['test'])} test samples\n\n| method | mean | seeds 0, 1, 2 |\n|---|---|---|")
        for method, scores in rows.items():
            listed = ", ".join(f"{100 * score:.1f}" for score in scores)
            print(f"| {method} | {100 * np.mean(scores):.1f} | {listed} |")


def encoded(name: str, config: Any) -> dict[str, Samples]:
    """Give the splits as vectors of the recipe's frozen encoders."""
    folder = str(Path(os.environ["QMF_DATA"]) / FOLDERS[name])
    raw = {s: DATASETS[name](folder, s) for s in dict.fromkeys(("train", "validation", TRAINED_ON[name], "test"))}
    specs = {m: ModalitySpec.parse(m, c.model_dump(exclude={"transpose"})) for m, c in config.data.modalities.items()}
    prepare = Preparation.fit(raw["train"], specs)
    return {split: prepare(samples)[0] for split, samples in raw.items()}


def logistic_rows(parts: dict[str, Samples], trained_on: str) -> dict[str, list[float]]:
    """Logistic regression on each modality and on all of them side by side; it draws nothing, so there is one score."""
    modalities = parts["test"].modalities
    rows = {}
    for chosen in [*((name,) for name in modalities), modalities]:

        def score(train: str, test: str, c: float, chosen: tuple[str, ...] = chosen) -> float:
            x = {part: np.concatenate([parts[part].features[m] for m in chosen], axis=1) for part in (train, test)}
            model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))
            return float(model.fit(x[train], parts[train].labels).score(x[test], parts[test].labels))

        best = max(STRENGTHS, key=partial(score, "train", "validation"))
        rows[f"logistic regression, {' + '.join(chosen)} (C = {best:g})"] = [score(trained_on, "test", best)]
    return rows


def fusion_rows(
    method: str, parts: dict[str, Samples], trained_on: str, parameters: dict[str, Any]
) -> dict[str, list[float]]:
    """Fused accuracy and that of each modality's own head, for each seed."""
    test = parts["test"]
    rows: dict[str, list[float]] = {}
    for seed in SEEDS:
        classifier = QMFClassifier(**parameters, random_state=seed)
        classifier.fit(parts[trained_on], validation=parts["validation"] if trained_on == "train" else None)
        prediction = classifier.predict_full(test)
        alone = classifier.classes_[prediction.unimodal_probabilities.argmax(axis=2)]
        for m, name in enumerate(test.modalities):
            rows.setdefault(f"{method}: its {name} head alone", []).append(float((alone[:, m] == test.labels).mean()))
        rows.setdefault(f"**{method}: fused**", []).append(float((prediction.labels == test.labels).mean()))
    return rows


if __name__ == "__main__":
    main()
