"""Evidence noted in passing is what the typicality modules say, and belongs to the one who asked."""

import pickle
from threading import Barrier, Thread

import numpy as np
import pytest
import torch
from torch import nn

from qmf.assembly import build_model, in_double
from qmf.evidence import evidence_of, noting


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = build_model({"a": 4, "b": 3}, 2, preset="robust", uncertainty=None, weighting=None, hidden=8, dropout=0.0)
    inputs = {"a": torch.randn(80, 4), "b": torch.randn(80, 3)}
    model.eval().fit_typicality(inputs, torch.ones(80, 2, dtype=torch.bool))
    return in_double(model)


def batch(n, seed):
    generator = torch.Generator().manual_seed(seed)
    widths = {"a": 4, "b": 3}
    return {name: torch.randn(n, d, generator=generator, dtype=torch.float64) for name, d in widths.items()}


def ask(model, inputs, present):
    with torch.inference_mode(), noting() as notes:
        model(inputs, torch.from_numpy(present))
    return evidence_of(model, notes, present)


def test_it_is_what_the_modules_say(model):
    inputs, present = batch(5, 1), np.ones((5, 2), dtype=bool)
    present[2, 1] = False
    found = ask(model, inputs, present)
    expected = torch.stack([t(x) for t, x in zip(model.uncertainty.typicality, inputs.values(), strict=True)], dim=1)
    np.testing.assert_array_equal(found[present], expected.numpy()[present])
    assert np.isnan(found[2, 1])


def test_a_modality_that_is_left_out_has_none(model):
    present = np.array([[True, False]] * 3)
    found = ask(model, {"a": batch(3, 2)["a"]}, present)
    assert np.isnan(found[:, 1]).all()
    assert np.isfinite(found[:, 0]).all()


def test_other_presets_have_none():
    paper = build_model({"a": 4, "b": 3}, 2, preset="paper", uncertainty=None, weighting=None, hidden=8, dropout=0.0)
    assert np.isnan(ask(in_double(paper.eval()), batch(3, 3), np.ones((3, 2), dtype=bool))).all()


def test_it_survives_pickling_and_threads_do_not_mix(model):
    model = pickle.loads(pickle.dumps(model))
    present, found, both = np.ones((6, 2), dtype=bool), {}, Barrier(2)
    expected = {seed: ask(model, batch(6, seed), present) for seed in (4, 5)}

    class Waiting(nn.Module):
        def forward(self, inputs, there):
            both.wait(timeout=30)
            output = model(inputs, there)
            both.wait(timeout=30)
            return output

    def work(seed):
        with torch.inference_mode(), noting() as notes:
            Waiting()(batch(6, seed), torch.from_numpy(present))
        found[seed] = evidence_of(model, notes, present)

    threads = [Thread(target=work, args=(seed,)) for seed in (4, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (4, 5):
        np.testing.assert_array_equal(found[seed], expected[seed])
