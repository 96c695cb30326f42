"""Normal scores: ranks against SciPy's, ties, odd features, values beyond the training range, precision."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qmf.normal_scores import NormalScores


def fitted(x):
    scores = NormalScores()
    scores.fit(torch.as_tensor(x))
    return scores


def reference(x):
    """Phi^-1 of the middle ranks of n distinct or tied values, centred; of at most 256 ranks at the ends."""
    end = 0.5 / min(len(x), 256)
    scores = stats.norm.ppf(np.clip((stats.rankdata(x, axis=0) - 0.5) / len(x), end, 1 - end))
    return scores - scores.mean(axis=0)


def test_values_of_few_levels_get_the_scores_of_their_middle_ranks():
    x = np.random.default_rng(0).integers(0, 7, (500, 4)).astype(np.float32)
    np.testing.assert_allclose(fitted(x)(torch.from_numpy(x)).numpy(), reference(x), atol=2e-6)


@pytest.mark.parametrize("kind", ["normal", "lognormal", "cauchy", "uniform"])
def test_continuous_values_get_the_scores_of_their_ranks_up_to_the_width_of_a_cell(kind):
    generator = np.random.default_rng(1)
    x = getattr(generator, {"cauchy": "standard_cauchy"}.get(kind, kind))(size=(4000, 1)).astype(np.float32)
    found = fitted(x)(torch.from_numpy(x)).numpy()
    away = np.abs(found - reference(x))
    assert away.mean() < 0.02
    assert away.max() < 0.6  # at the ends of a uniform distribution, where ranks of 0.98 and more share a cell


def test_a_few_wild_values_leave_the_others_apart():
    x = np.random.default_rng(2).normal(size=(1000, 1)).astype(np.float32)
    x[:3] = [[1e30], [-1e30], [1e37]]
    found = fitted(x)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found[3:], reference(x)[3:], atol=0.1)
    assert np.isfinite(found).all()


def test_beyond_the_training_range_standard_deviations_come_on_top():
    x = torch.linspace(-1, 1, 101)[:, None]
    scores = fitted(x)
    spread = float(x.std(correction=0))
    asked = torch.tensor([[-1.0 - 2 * spread], [-1.0], [1.0], [1.0 + 3 * spread]])
    below, lowest, highest, above = scores(asked).flatten().tolist()
    assert lowest < -2
    assert highest > 2
    assert below == pytest.approx(lowest - 2, rel=1e-5)
    assert above == pytest.approx(highest + 3, rel=1e-5)


def test_a_constant_feature_has_a_score_of_zero_and_says_how_far_off_a_value_is():
    scores = fitted(torch.full((50, 1), 7.0))
    assert scores(torch.tensor([[7.0], [9.0], [4.0]])).flatten().tolist() == [0.0, 2.0, -3.0]


def test_most_values_alike_and_few_others_are_told_apart():
    x = torch.cat([torch.zeros(90), torch.linspace(0.5, 1.0, 10)])[:, None]  # both quartiles are 0
    found = fitted(x)(x).flatten()
    assert (found[90:] > found[0]).all()
    assert (found[91:] > found[90:-1]).all()


@given(st.integers(0, 2**31), st.sampled_from([1e-20, 1.0, 1e20]))
def test_a_larger_value_never_has_a_smaller_score(seed, size):
    generator = torch.Generator().manual_seed(seed)
    x = size * torch.randn(60, 2, generator=generator).pow(3)
    asked = (4 * size * torch.randn(200, 2, generator=generator)).sort(dim=0).values
    assert (fitted(x)(asked).diff(dim=0) >= -1e-6).all()


def test_the_precision_of_the_model_changes_no_cell():
    x = torch.randn(300, 5, generator=torch.Generator().manual_seed(3))
    scores = fitted(x)
    expected = scores(x)
    for converted in (scores.double(), scores.half(), scores.bfloat16()):
        assert converted.table.dtype == torch.float32
        assert torch.equal(converted(x), expected)
        assert torch.equal(converted(x.double()), expected)


def test_what_is_no_number_has_no_score_and_touches_no_other():
    scores = fitted(torch.randn(40, 2))
    x = torch.tensor([[0.5, -0.5], [torch.nan, 0.5], [torch.inf, -torch.inf]])
    found = scores(x)
    assert torch.equal(found[0], scores(x[:1])[0])
    assert found[1].isnan().tolist() == [True, False]
    assert found[2].tolist() == [torch.inf, -torch.inf]


def test_a_value_does_not_depend_on_its_batch():
    x = torch.randn(67, 13, generator=torch.Generator().manual_seed(4))
    scores = fitted(x)
    assert torch.equal(scores(x), torch.cat([scores(row[None]) for row in x]))


def test_the_state_of_another_size_is_taken():
    scores, other = fitted(torch.randn(40, 3)), fitted(torch.randn(40, 8))
    other.load_state_dict(scores.state_dict())
    x = torch.randn(5, 3)
    assert torch.equal(other(x), scores(x))
