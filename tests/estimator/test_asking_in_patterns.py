"""What a model says where modalities are taken away is found out at once, and is what it says if asked anew."""

import numpy as np
import pytest

from qmf import QMFClassifier
from qmf.assembly import ask_in_patterns, in_double, run_model
from qmf.data import from_arrays


@pytest.mark.parametrize("preset", ["robust", "paper"])
def test_asking_in_patterns_is_asking_with_modalities_left_out(preset):
    rng = np.random.default_rng(0)
    x = {name: rng.normal(size=(120, width)) for name, width in (("a", 5), ("b", 3), ("c", 4))}
    for m, values in enumerate(x.values()):
        values[rng.random(120) < 0.2 * m] = np.nan  # a is always there
    samples = from_arrays(x, (np.nan_to_num(x["b"][:, 0]) + x["a"][:, 0] > 0).astype(int))
    model = QMFClassifier(preset=preset, epochs=3, random_state=0).fit(samples)
    predictor = in_double(model.model_)
    ask = ask_in_patterns(predictor, samples)
    for kept in ([True, True, True], [True, False, True], [True, False, False]):
        rows = samples.present[:, np.array(kept)].all(axis=1)
        gone = [name for name, there in zip(samples.modalities, kept, strict=True) if not there]
        wanted = run_model(predictor, samples.take(np.flatnonzero(rows)).without(*gone)).to_arrays()
        given = ask(rows, np.array(kept)).to_arrays()
        assert rows.sum() > 20
        for name in ("logits", "weights", "uncertainty", "present", "evidence"):
            a, b = getattr(given, name), getattr(wanted, name)
            if b is None:
                assert a is None
            else:
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=name)
