"""Pictures, texts and sounds of two classes, classifiers of them, and what is the same."""

import numpy as np
import pytest

from qmf import QMFClassifier
from qmf.data import ModalityColumns, raw_from_memory

N, NEW = 60, 30
LABELS = np.random.default_rng(0).integers(0, 2, N)
NEW_LABELS = np.random.default_rng(1).integers(0, 2, NEW)


def pictures(y, seed=0):
    """Coarse patterns, dark for 0 and bright for 1, as uint8 [size, size, 3]."""
    rng = np.random.default_rng(seed)
    coarse = [rng.integers(0 if label == 0 else 90, 170 if label == 0 else 255, (5, 5, 3)) for label in y]
    return [block.repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8) for block in coarse]


def texts(y, seed=0):
    """Texts so long that hardly one comes twice."""
    rng = np.random.default_rng(seed)
    return [
        " ".join(rng.choice(["a", "days", "park", "night", ("bad", "good")[label]], 4 + i % 5))
        for i, label in enumerate(y)
    ]


def sounds(y, folder, seed=0):
    """WAV files, low tones for 0 and high ones for 1, in noise."""
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    rng, time, paths = np.random.default_rng(seed), np.arange(1200) / 8000, []
    for i, label in enumerate(y):
        wave = np.sin(2 * np.pi * rng.uniform(*((150, 400), (900, 2000))[label]) * time) + rng.normal(0, 0.2, len(time))
        paths.append(folder / f"{seed}-{i}.wav")
        soundfile.write(paths[-1], wave / 4, 8000)
    return paths


def some_absent(values, remainder):
    return [None if i % 9 == remainder else value for i, value in enumerate(values)]


def made(kind, y, seed, folder):
    if kind == "audio":
        return sounds(y, folder, seed)
    return texts(y, seed) if kind == "text" else pictures(y, seed)


def fitted(specs, folder, **options):
    """Fit one epoch on modalities given as (type, encoder, more); give the classifier and new samples."""
    modalities = {name: {"type": kind, "encoder": encoder, **more} for name, (kind, encoder, more) in specs.items()}
    kinds = {name: spec["type"] for name, spec in modalities.items()}
    X, new = (
        {name: some_absent(made(kind, y, seed + 10 * m, folder), m) for m, (name, kind) in enumerate(kinds.items())}
        for y, seed in ((LABELS, 0), (NEW_LABELS, 1))
    )
    classifier = QMFClassifier(modalities=modalities, epochs=1, hidden=8, random_state=0, **options)
    return classifier.fit(X, LABELS), new


def raw(X, classifier, labels=None):
    types = {name: ModalityColumns((), type=spec.type) for name, spec in classifier.preparation_.specs.items()}
    return raw_from_memory(X, labels, types)


def assert_same(given, wanted, atol=1e-4):
    assert given.labels.tolist() == wanted.labels.tolist()
    assert given.abstain_reason.tolist() == wanted.abstain_reason.tolist()
    for name in ("probabilities", "weights", "uncertainty", "unimodal_probabilities"):
        np.testing.assert_allclose(getattr(given, name), getattr(wanted, name), atol=atol, err_msg=name)
