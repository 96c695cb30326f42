"""The demonstration: QMF beside the matched static fusion on real digits, clean and with views that went bad."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qmf.corruptions import corrupt_vectors, paper_hit, swap_partner
from qmf.data import Samples, encode_labels
from qmf.datasets import HANDWRITTEN_CITATION, load_handwritten
from qmf.estimator import QMFClassifier
from qmf.evaluation import evaluate_prediction
from qmf.metrics import accuracy, sample_loss
from qmf.model_folder import package_versions
from qmf.randomness import keyed_generator
from qmf.report import Comparison, Condition, Distrusted, require_report_packages, write_comparison
from qmf.types import Prediction

__all__ = ["METHODS", "run_demo"]

METHODS = {"QMF": "robust", "static fusion": "static", "QMF as published": "paper"}
_POINTS = 400  # per modality, in the plot of weight against loss
_DISTRUSTED = 20


@dataclass(frozen=True)
class _Damage:
    """A test situation: what is done to the views that are hit."""

    name: str
    description: str
    corruption: str | None = None
    parameter: tuple[str, float] | None = None


_DAMAGES = (
    _Damage("clean", "Nothing is changed."),
    _Damage("noise 1σ", "Gaussian noise of 1 training standard deviation.", "feature_gaussian", ("sigma", 1.0)),
    _Damage("noise 3σ", "Gaussian noise of 3 training standard deviations.", "feature_gaussian", ("sigma", 3.0)),
    _Damage("noise 10σ", "Gaussian noise of 10 training standard deviations.", "feature_gaussian", ("sigma", 10.0)),
    _Damage(
        "salt and pepper",
        "A third of the features jump to an end of their range.",
        "feature_salt_and_pepper",
        ("rate", 1 / 3),
    ),
    _Damage("zeroed", "Every feature reads 0: a dead sensor.", "zeroed"),
    _Damage("swapped", "The view belongs to a sample of another class.", "swap"),
)


def run_demo(folder: Path, *, seed: int = 0, say: Callable[[str], None], verbose: bool = False) -> Comparison:
    """Train, damage, compare, and write ``report.html``.

    Parameters
    ----------
    folder : pathlib.Path
        Where ``report.html`` goes; made if needed.
    seed : int, default 0
        Seed of the split, the training and the damage.
    say : callable
        Called with a line of text at each stage.
    verbose : bool, default False
        Show progress bars.

    Returns
    -------
    Comparison
        What the report shows.

    Raises
    ------
    MissingDependencyError
        If the extra ``[report]`` is not installed.
    """
    require_report_packages()  # before minutes of work, not after
    started = time.perf_counter()
    training, test = load_handwritten("train", seed=seed), load_handwritten("test", seed=seed)
    classifiers = {}
    for method, preset in METHODS.items():
        say(f"training {method} on {len(training)} digits, {len(training.modalities)} views each")
        classifiers[method] = QMFClassifier(preset=preset, random_state=seed, verbose=verbose).fit(training)
    target = encode_labels(test, classifiers["QMF"].classes_)
    spread = {name: (x.mean(axis=0), x.std(axis=0)) for name, x in training.features.items()}
    conditions, predictions, hits = [], [], []
    for damage in _DAMAGES:
        say(f"testing: {damage.name}")
        damaged, hit = _damage(test, damage, spread, seed)
        full = {method: classifier.predict_full(damaged) for method, classifier in classifiers.items()}
        conditions.append(_condition(damage, full, target, hit))
        predictions.append(full["QMF"])
        hits.append(hit)
    comparison = Comparison(
        title="Does it help to trust each view per sample?",
        dataset="Multiple Features: handwritten digits, six feature views of each",
        num_train=len(training),
        num_test=len(test),
        classes=tuple(map(str, classifiers["QMF"].classes_)),
        methods=tuple(METHODS),
        modalities=test.modalities,
        conditions=tuple(conditions),
        weight_samples=_weight_samples(predictions, target, seed),
        distrusted=_most_distrusted(predictions, target, hits),
        settings=_settings(classifiers["QMF"], seed, time.perf_counter() - started),
    )
    write_comparison(comparison, folder / "report.html")
    return comparison


def _damage(
    test: Samples, damage: _Damage, spread: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]], seed: int
) -> tuple[Samples, NDArray[np.bool_]]:
    """Hit each view of each sample with probability 0.5; gives the damaged samples and what was hit, [N, M]."""
    hit = np.zeros(test.present.shape, dtype=bool)
    features: dict[str, NDArray[np.float32]] = {}
    for m, (name, x) in enumerate(test.features.items()):
        if damage.corruption is not None:
            hit[:, m] = [paper_hit(seed, str(sample), name) for sample in test.ids]
        if damage.corruption == "swap":
            donors = swap_partner(test.ids, test.labels, seed=seed, modality=name, other_class=True)
            features[name] = np.where(hit[:, m, None], x[donors], x)
        elif damage.corruption is not None:
            center, scale = spread[name]
            parameters = dict([damage.parameter]) if damage.parameter else {"severity": 1}
            features[name] = corrupt_vectors(
                x, damage.corruption, seed=seed, sample_ids=test.ids, modality=name, scale=scale, center=center,
                rows=hit[:, m], **parameters,
            )  # fmt: skip
        else:
            features[name] = x
    return Samples(features, test.present, test.ids, test.labels, test.source), hit


def _condition(
    damage: _Damage, full: dict[str, Prediction], target: NDArray[np.int64], hit: NDArray[np.bool_]
) -> Condition:
    qmf = full["QMF"]
    scores = evaluate_prediction(qmf, target)

    def mean_weight(which: NDArray[np.bool_]) -> dict[str, float]:
        chosen = {name: qmf.weights[which[:, m], m] for m, name in enumerate(qmf.modalities)}
        return {name: float(w.mean()) if len(w) else float("nan") for name, w in chosen.items()}

    return Condition(
        name=damage.name,
        description=damage.description,
        accuracy={method: accuracy(prediction.probabilities, target) for method, prediction in full.items()},
        unimodal_accuracy={name: entry["accuracy"] for name, entry in scores["per_modality"].items()},
        weight_clean=mean_weight(~hit),
        weight_corrupted=mean_weight(hit),
        weight_loss_correlation=scores["weight_loss_correlation"],
    )


def _weight_samples(
    predictions: list[Prediction], target: NDArray[np.int64], seed: int
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Weight and loss of some samples of all conditions, per modality."""
    points = {}
    for m, name in enumerate(predictions[0].modalities):
        weight = np.concatenate([p.weights[:, m] for p in predictions]).astype(np.float64)
        loss = np.concatenate([sample_loss(p.unimodal_probabilities[:, m], target) for p in predictions])
        chosen = keyed_generator(seed, "points", name).permutation(len(weight))[:_POINTS]
        points[name] = (weight[chosen], loss[chosen])
    return points


def _most_distrusted(
    predictions: list[Prediction], target: NDArray[np.int64], hits: list[NDArray[np.bool_]]
) -> tuple[Distrusted, ...]:
    """Find the views with the lowest weight beside the others of their sample, over all damaged conditions."""
    found = []
    for condition, (prediction, hit) in enumerate(zip(predictions, hits, strict=True)):
        if not hit.any():
            continue
        weights, count = prediction.weights, prediction.weights.shape[1]
        others = (weights.sum(axis=1, keepdims=True) - weights) / (count - 1)
        for flat in np.argsort((weights - others).ravel())[:_DISTRUSTED]:
            i, m = divmod(int(flat), count)
            found.append((float(weights[i, m] - others[i, m]), condition, i, m, float(others[i, m])))
    rows = []
    for gap, condition, i, m, other in sorted(found)[:_DISTRUSTED]:
        prediction = predictions[condition]
        rows.append(
            Distrusted(
                id=f"{prediction.ids[i]} ({_DAMAGES[condition].name})",
                label=str(prediction.classes[target[i]]),
                prediction=str(prediction.labels[i]),
                modality=prediction.modalities[m],
                weight=gap + other,
                other_weights=other,
                corrupted=bool(hits[condition][i, m]),
            )
        )
    return tuple(rows)


def _settings(classifier: QMFClassifier, seed: int, seconds: float) -> dict[str, str]:
    versions = package_versions()
    return {
        "command": f"qmf demo --seed {seed}",
        "seed": f"{seed}: split, initial weights, order of training, damage",
        "split": "80 % to train (a tenth of it held out to choose the epoch), 20 % to test, by class",
        "epochs": str(classifier.n_iter_),
        "damage": "each view of each test digit is hit with probability 0.5; training saw none of it",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "time": f"{seconds:.0f} s",
        "data": HANDWRITTEN_CITATION,
        "method": "Zhang et al., Provable Dynamic Fusion for Low-Quality Multimodal Data, ICML 2023.",
    }
