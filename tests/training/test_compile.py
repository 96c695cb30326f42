"""A compiled model is trained to the same weights."""

import numpy as np

from qmf import QMFClassifier


def test_compiled_training_ends_with_the_same_classifier():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)
    x = {"a": rng.normal(y[:, None], 1.0, (40, 3)), "b": rng.normal(0.0, 1.0, (40, 2))}
    x["b"][::7] = np.nan
    options = {"preset": "paper", "hidden": 4, "dropout": 0.0, "epochs": 2, "batch_size": 16, "random_state": 0}
    options |= {"validation_fraction": 0}
    plain, compiled = (QMFClassifier(**options, compile=c).fit(x, y) for c in (False, True))
    np.testing.assert_allclose(compiled.predict_proba(x), plain.predict_proba(x), atol=1e-5)
    assert compiled.get_params()["compile"]
