"""What must not change an output: absent modalities, their contents, the order of modalities, the batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from qmf.encoders import MLPEncoder
from qmf.errors import ConfigError, DataError
from qmf.fusion import QualityAwareFusion
from qmf.objective import QMFObjective
from qmf.presets import PRESETS
from qmf.types import FusionOutput
from qmf.uncertainty import ESTIMATORS

K = 3
WIDTHS = {"a": 4, "b.left": 2, "c d": 5}


def model_of(widths=WIDTHS, **options):
    torch.manual_seed(0)
    return QualityAwareFusion({n: MLPEncoder(d, 6, 0.0) for n, d in widths.items()}, K, **options)


def batch(size=5, widths=WIDTHS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = {name: torch.randn(size, d, generator=generator) for name, d in widths.items()}
    present = torch.rand(size, len(widths), generator=generator) > 0.4
    present[:, 0] |= ~present.any(dim=1)
    return inputs, present


def close(a, b):
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, atol=1e-6, rtol=1e-5, equal_nan=True)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("uncertainty", ESTIMATORS)
def test_absent_has_weight_zero_and_nothing_that_stands_there_matters(preset, uncertainty):
    model = model_of(preset=preset, uncertainty=uncertainty)
    inputs, present = batch()
    expected = model(inputs, present)
    assert (expected.weights[~present] == 0).all()
    assert torch.isfinite(expected.logits).all()
    assert expected.uncertainty.isnan().tolist() == (~present).tolist()
    garbage = {name: x.clone() for name, x in inputs.items()}
    for m, name in enumerate(inputs):
        garbage[name][~present[:, m]] = [torch.nan, torch.inf, -1e30][m]
    close(model(garbage, present), expected)


def test_absent_gets_no_gradient_and_no_history():
    model, objective = model_of(), QMFObjective(5, 3)
    inputs, present = batch()
    present[:, 1] = False
    present[:, 0] = True
    inputs["b.left"][:] = torch.nan
    output = model(inputs, present)
    objective(output, torch.zeros(5, dtype=torch.long), torch.arange(5)).loss.backward()
    assert all(not p.grad.any() for p in model.encoders[1].parameters())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert objective.history.count.tolist() == present.int().tolist()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.permutations(list(WIDTHS)))
def test_permuting_modalities_permutes_weights_and_nothing_else(seed, order):
    model = model_of()
    inputs, present = batch(seed=seed)
    places = [list(WIDTHS).index(name) for name in order]
    permuted = QualityAwareFusion({n: model.encoders[p] for n, p in zip(order, places, strict=True)}, K)
    with torch.no_grad():
        permuted.heads.weight.copy_(model.heads.weight[places])
        permuted.heads.bias.copy_(model.heads.bias[places])
    expected, actual = model(inputs, present), permuted(inputs, present[:, places])
    torch.testing.assert_close(actual.logits, expected.logits, atol=1e-5, rtol=1e-5)
    for name in ("unimodal_logits", "weights", "uncertainty", "present"):
        torch.testing.assert_close(
            getattr(actual, name), getattr(expected, name)[:, places], atol=1e-6, rtol=1e-5, equal_nan=True
        )


@pytest.mark.parametrize("options", [{}, {"weighting": "simplex"}, {"weighting": "reserved"}, {"preset": "static"}])
def test_one_more_modality_that_is_absent_everywhere_changes_no_output(options):
    model = model_of(**options)
    inputs, present = batch()
    wider = model_of({**WIDTHS, "seventh": 8}, **options)
    with torch.no_grad():
        for source, target in zip(model.encoders, wider.encoders, strict=False):
            target.load_state_dict(source.state_dict())
        wider.heads.weight[:3].copy_(model.heads.weight)
        wider.heads.bias[:3].copy_(model.heads.bias)
    expected = model(inputs, present)
    for actual in (
        wider(inputs | {"seventh": torch.full((5, 8), torch.nan)}, torch.cat([present, torch.zeros(5, 1).bool()], 1)),
        wider(inputs, torch.cat([present, torch.zeros(5, 1).bool()], 1)),
    ):
        close([actual.logits, actual.weights[:, :3]], [expected.logits, expected.weights])
        assert not actual.weights[:, 3].any()


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 9))
def test_batch_size_changes_no_prediction(size):
    model = model_of()
    inputs, present = batch(9)
    whole = model(inputs, present)
    batches = [slice(start, start + size) for start in range(0, 9, size)]
    parts = [model({name: x[rows] for name, x in inputs.items()}, present[rows]) for rows in batches]
    close(FusionOutput.joined(parts)[:5], whole[:5])  # what follows is evidence, of which this model has none


def test_all_present_is_the_same_with_and_without_a_mask():
    model = model_of()
    inputs, _ = batch()
    close(model(inputs), model(inputs, torch.ones(5, 3, dtype=torch.bool)))


def test_a_modality_left_out_is_absent():
    model = model_of()
    inputs, _ = batch()
    present = torch.tensor([[True, False, True]] * 5)
    without = {name: x for name, x in inputs.items() if name != "b.left"}
    close(model(without), model(inputs, present))
    close(model(without, present), model(inputs, present))


def test_one_modality_is_enough():
    model = model_of({"only": 3})
    out = model({"only": torch.randn(2, 3)})
    torch.testing.assert_close(out.logits, out.weights * out.unimodal_logits[:, 0])


def test_features_of_different_widths_and_heads_of_ones_own():
    encoders = {"a": MLPEncoder(4, 6), "b": MLPEncoder(2, 7)}
    out = QualityAwareFusion(encoders, K)({"a": torch.zeros(2, 4), "b": torch.zeros(2, 2)})
    assert out.unimodal_logits.shape == (2, 2, K)
    logits = torch.randn(2, K)
    identity = QualityAwareFusion({"a": nn.Identity()}, K, heads={"a": nn.Identity()})
    torch.testing.assert_close(identity({"a": logits}).unimodal_logits[:, 0], logits)


def test_bfloat16_gives_float32_near_float32():
    model = model_of()
    inputs, present = batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(inputs, present)
    assert {half.logits.dtype, half.weights.dtype, half.uncertainty.dtype} == {torch.float32}
    torch.testing.assert_close(half.logits, model(inputs, present).logits, atol=0.05, rtol=0.1)


@pytest.mark.parametrize("with_mask", [True, False])
def test_compiles_in_one_graph(with_mask):
    model, objective = model_of(), QMFObjective(5, 3)
    inputs, present = batch()
    target, index = torch.zeros(5, dtype=torch.long), torch.arange(5)

    def step(inputs, present):
        output = model(inputs, present)
        return output.logits, objective(output, target, index).loss

    compiled = torch.compile(step, backend="eager", fullgraph=True)
    mask = present if with_mask else None
    close(compiled(inputs, mask), step(inputs, mask))


def test_a_step_makes_no_copy_between_host_and_device():
    """On the meta device there is nothing to copy: any look at a value is an error."""
    model, objective = model_of().to("meta"), QMFObjective(5, 3).to("meta")
    inputs, present = batch()
    inputs = {name: x.to("meta") for name, x in inputs.items()}
    for mask in (present.to("meta"), None):
        output = model(inputs, mask)
        index = torch.arange(5, device="meta")
        loss = objective(output, torch.zeros(5, dtype=torch.long, device="meta"), index).loss
        loss.backward()
        assert loss.shape == ()


def test_a_sample_without_any_modality_is_an_error_or_loudly_nan():
    model = model_of()
    inputs, present = batch()
    present[3] = False
    with pytest.raises(DataError, match="1 of 5 samples have no modality present, first row 3"):
        model(inputs, present)
    from qmf.fusion import fuse_logits

    others = [model_of(weighting=name).weighting for name in ("simplex", "reserved", "constant")]
    for weighting in (model.weighting, *others):
        out = fuse_logits(torch.randn(5, 3, K), torch.randn(5, 3), present, weighting)
        assert out.logits.isnan().any(dim=1).tolist() == [False, False, False, True, False]


def test_bad_input_is_named():
    model = model_of()
    inputs, present = batch()
    with pytest.raises(DataError, match=r"present is torch.bool \(5, 2\): expected torch.bool \(5, 3\)"):
        model(inputs, present[:, :2])
    with pytest.raises(DataError, match=r"present is torch.float32"):
        model(inputs, present.float())
    with pytest.raises(DataError, match=r"inputs has .*'sound'"):
        model(inputs | {"sound": torch.zeros(5, 1)})
    with pytest.raises(DataError, match="expected some of"):
        model({})
    with pytest.raises(DataError, match="marks modality 'a' as there, but inputs has no tensor"):
        model({"c d": inputs["c d"]}, torch.ones(5, 3, dtype=torch.bool))


@pytest.mark.parametrize(
    ("encoders", "options", "message"),
    [
        ({}, {}, "encoders is empty"),
        ({"a": nn.Linear(2, 2)}, {"num_classes": 1}, "num_classes=1"),
        ({"a": nn.ReLU()}, {}, "modality 'a' has no integer out_features"),
        ({"a": nn.Linear(2, 2)}, {"preset": "papre"}, "preset='papre' does not exist"),
        ({"a": nn.Linear(2, 2)}, {"uncertainty": "energie"}, "uncertainty='energie' does not exist"),
        ({"a": nn.Linear(2, 2)}, {"weighting": "square"}, "weighting='square' does not exist"),
        ({"a": nn.Linear(2, 2)}, {"heads": {"b": nn.Identity()}}, "heads names 'b'"),
    ],
)
def test_bad_settings_are_named(encoders, options, message):
    with pytest.raises(ConfigError, match=message):
        QualityAwareFusion(encoders, options.pop("num_classes", 3), **options)


def test_an_estimator_and_a_weighting_of_ones_own():
    class Spread(ESTIMATORS["energy"]):
        def forward(self, logits, features=()):
            return -logits.float().std(dim=-1)

    class Half(nn.Module):
        def forward(self, uncertainty, present=None):
            return torch.full_like(uncertainty, 0.5)

    out = model_of(uncertainty=Spread(3), weighting=Half())(batch()[0])
    np.testing.assert_allclose(
        out.uncertainty.detach(), -out.unimodal_logits.detach().numpy().std(axis=2, ddof=1), rtol=1e-4
    )
    assert out.weights.unique().tolist() == [0.5]
