"""The small network on sounds: each row alone, and it learns."""

import numpy as np
import pytest
import torch

from qmf.encoders.audio_cnn import AudioCNN, Waveforms
from qmf.errors import ConfigError


def waves(n=6, samples=2000, seed=0):
    return torch.randn(n, samples, generator=torch.Generator().manual_seed(seed))


def test_features_have_the_promised_width_and_no_batch_normalisation():
    network = AudioCNN(8000, 32)
    assert network.out_features == 128
    assert network(waves()).shape == (6, 128)
    assert not any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in network.modules())


def test_rows_of_zeros_change_no_other_row_and_stay_finite():
    network = AudioCNN(8000, 32).train()
    x = waves()
    absent = torch.cat([x, torch.zeros(5, x.shape[1])])
    torch.testing.assert_close(network(absent)[:6], network(x), atol=1e-5, rtol=1e-5)
    network(absent).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_it_learns_low_from_high_tones():
    torch.manual_seed(0)
    time = torch.arange(2000) / 8000
    frequency = torch.cat([torch.linspace(200, 500, 16), torch.linspace(1500, 3000, 16)])
    x = torch.sin(2 * torch.pi * frequency[:, None] * time)
    y = torch.arange(32) // 16
    model = torch.nn.Sequential(AudioCNN(8000, 32), torch.nn.Linear(128, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x[::2]), y[::2]).backward()
        optimizer.step()
    assert (model(x[1::2]).argmax(dim=1) == y[1::2]).all()


def test_weights_saved_and_loaded_give_the_same_features():
    first, second = AudioCNN(8000, 32), AudioCNN(8000, 32)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(waves()), second(waves()))


def test_waveforms_are_what_the_network_takes():
    encoder = Waveforms(sample_rate=8000, seconds=0.25, bands=32)
    rows = encoder.encode([(row.numpy(), 8000) for row in waves(3)])
    assert rows.shape == (3, encoder.out_features) == (3, 2000)
    np.testing.assert_array_equal(rows, waves(3))
    assert encoder.backbone()(torch.from_numpy(rows)).shape == (3, 128)
    assert encoder.encode([]).shape == (0, 2000)


def test_sounds_that_are_too_short_are_named():
    with pytest.raises(ConfigError, match="T more than 128"):
        AudioCNN(8000)(torch.zeros(1, 100))
