"""The certificate of a fitted classifier on held-out samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qmf.assembly import in_double
from qmf.data import encode_labels
from qmf.heads import BatchedLinearHeads, SeparateHeads
from qmf.theory import Certificate, LinearHead, certify

if TYPE_CHECKING:
    from qmf.data import Samples
    from qmf.estimator import QMFClassifier
    from qmf.fusion import QualityAwareFusion

__all__ = ["certify_classifier", "linear_heads"]

_ROWS = 64  # per pass through an encoder


def certify_classifier(
    classifier: QMFClassifier, samples: Samples, *, delta: float = 0.05, random_state: int = 0
) -> Certificate:
    """Say what Theorems 1 and 2 of QMF say about a classifier on samples that it has not seen.

    Parameters
    ----------
    classifier : QMFClassifier
        Fitted.
    samples : Samples
        Labelled, from ``classifier.prepare``: as they are, or damaged.
    delta : float in (0, 0.5)
        Chance that a bound or a one-sided interval fails.
    random_state : int
        Key of the bootstrap and of the Monte Carlo estimate of complexities.

    Returns
    -------
    Certificate
        All terms and the verdict.

    Raises
    ------
    ConfigError
        If `delta` is out of range.
    DataError
        If the samples have no labels, one was not there in training, or there are fewer than two samples.

    Examples
    --------
    >>> from qmf import QMFClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = {"a": rng.normal(y[:, None], 1.0, (200, 4)), "b": rng.normal(y[:, None], 1.0, (200, 3))}
    >>> first, last = ({name: x[part] for name, x in X.items()} for part in (slice(100), slice(100, 200)))
    >>> classifier = QMFClassifier(preset="static", epochs=5, random_state=0).fit(first, y[:100])
    >>> certify_classifier(classifier, classifier.prepare(last).with_labels(y[100:])).verdict.sentence
    'Dynamic fusion is certified here, because its weights do not vary: it is static fusion, with the same bound.'
    """
    target = encode_labels(samples, classifier.classes_)
    prediction = classifier.predict_full(samples)
    return certify(
        prediction.unimodal_probabilities,
        prediction.weights,
        target,
        prediction.present,
        modalities=prediction.modalities,
        heads=linear_heads(classifier.model_, samples),
        answers=prediction.probabilities.argmax(axis=1),
        delta=delta,
        random_state=random_state,
    )


def linear_heads(model: QualityAwareFusion, samples: Samples) -> list[LinearHead | None]:
    """Give the features of each modality's head with the norm of the head.

    Parameters
    ----------
    model : QualityAwareFusion
        Trained.
    samples : Samples
        N samples with the modalities of the model.

    Returns
    -------
    list of M LinearHead or None
        Features [N, D_m + 1], the last one 1 for the bias; None where the head is not a linear layer.
    """
    model = in_double(model).eval()
    found: list[LinearHead | None] = []
    for m, (encoder, x) in enumerate(zip(model.encoders, samples.features.values(), strict=True)):
        norm = _norm(model.heads, m)
        found.append(None if norm is None else LinearHead(_features(encoder, x), norm))
    return found


def _features(encoder: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float64]:
    with torch.inference_mode():
        parts = [encoder(rows.double()).flatten(start_dim=1) for rows in torch.from_numpy(x).split(_ROWS)]
    h = torch.cat(parts).numpy()
    return np.concatenate([h, np.ones((len(h), 1))], axis=1)


def _norm(heads: nn.Module, m: int) -> float | None:
    """Give the Frobenius norm of a linear head, bias included."""
    given: tuple[Tensor, ...]
    if isinstance(heads, BatchedLinearHeads):
        given = (heads.weight[m], heads.bias[m])
    elif isinstance(heads, SeparateHeads) and isinstance(linear := heads.heads[m], nn.Linear):
        given = tuple(linear.parameters())
    else:
        return None
    return float(sum(p.detach().square().sum() for p in given) ** 0.5)
