"""Modality dropout: at its rate, keyed, never the last modality, never a protected one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qmf import QMFClassifier
from qmf.errors import ConfigError
from qmf.training import TensorBatches, dropout_rates, dropped_presence


def test_half_of_one_modality_goes_and_the_protected_one_stays():
    present = torch.ones(4000, 2, dtype=torch.bool)
    kept = dropped_presence(present, dropout_rates({"a": 0.5}, ["a", "b"]), seed=0, epoch=0)
    assert kept[:, 1].all()
    assert 0.47 < kept[:, 0].float().mean() < 0.53


@given(st.integers(1, 5), st.integers(0, 10_000))
def test_every_sample_keeps_one_of_those_it_has_and_gains_none(modalities, seed):
    rng = np.random.default_rng(seed)
    present = torch.from_numpy(rng.random((50, modalities)) < 0.6)
    present[~present.any(dim=1), 0] = True
    kept = dropped_presence(present, [0.9] * modalities, seed, epoch=3)
    assert kept.any(dim=1).all()
    assert not (kept & ~present).any()


def test_draws_belong_to_seed_and_epoch_and_not_to_the_batch_size():
    inputs = {"a": torch.zeros(20, 1), "b": torch.zeros(20, 1)}
    data = TensorBatches(inputs, torch.ones(20, 2, dtype=torch.bool), torch.zeros(20, dtype=torch.long), (0.4, 0.4))

    def presence(batch_size, epoch):
        rows = torch.zeros(20, 2, dtype=torch.bool)
        for batch in data.shuffled(batch_size, seed=1, epoch=epoch):
            rows[batch.index] = batch.present
        return rows

    assert torch.equal(presence(3, 0), presence(20, 0))
    assert not torch.equal(presence(20, 0), presence(20, 1))
    assert all(batch.present is None for batch in data.in_order(8))


def test_a_model_trained_with_it_learns_and_wrong_rates_are_refused():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    X = {"a": rng.normal(y[:, None], 0.5, (200, 3)), "b": rng.normal(y[:, None], 0.5, (200, 2))}
    classifier = QMFClassifier(modality_dropout=0.5, epochs=15, random_state=0).fit(X, y)
    assert classifier.score({"a": X["a"]}, y) > 0.9
    with pytest.raises(ConfigError, match=r"no modality 'c'; expected some of a, b"):
        QMFClassifier(modality_dropout={"c": 0.5}).fit(X, y)
    with pytest.raises(ConfigError, match=r"expected a rate in \[0, 1\)"):
        QMFClassifier(modality_dropout=1.0).fit(X, y)
