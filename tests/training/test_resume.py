"""A run killed at any moment and resumed ends as one that was never killed, bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from qmf.errors import DataError
from qmf.training.checkpoint import load_checkpoint

SCRIPT = """
import sys
import torch
from pathlib import Path
from safetensors.torch import save_file
from torch import nn
from qmf.fusion import QualityAwareFusion
from qmf.objective import QMFObjective
from qmf.encoders import MLPEncoder
from qmf.training import TensorBatches, TrainingSettings, train
from qmf.training.interruption import TrainingInterruptedError

folder = Path(sys.argv[1])
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(5)
n = 600
inputs = {"a": torch.randn(n, 12, generator=generator), "b": torch.randn(n, 5, generator=generator)}
target = (inputs["a"][:, 0] + inputs["b"][:, 0] > 0).long()
present = torch.rand(n, 2, generator=generator) > 0.2
present[:, 0] |= ~present.any(dim=1)
def part(rows):
    return TensorBatches({name: x[rows] for name, x in inputs.items()}, present[rows], target[rows])
torch.manual_seed(0)
model = QualityAwareFusion({"a": MLPEncoder(12, 32, 0.3), "b": MLPEncoder(5, 32, 0.3)}, 2)
objective = QMFObjective(500, 2)
settings = TrainingSettings(epochs=12, batch_size=16, accumulate=3, schedule=sys.argv[2], clip_norm=1.0, seed=3)
try:
    result = train(model, objective, part(slice(0, 500)), part(slice(500, n)), settings, folder=folder, resume=True)
except TrainingInterruptedError as error:
    sys.exit(error.exit_code)
history = {f"objective.{name}": value for name, value in objective.state_dict().items()}
save_file(model.state_dict() | history, folder / "end.safetensors")
"""


def start(folder, schedule):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), schedule], env=environment)


def epochs_in_checkpoint(folder):
    rows = folder / "metrics.jsonl"
    return len(rows.read_text().splitlines()) if rows.exists() else 0


def run_with_kills(folder, schedule, kill, rng, times):
    """Kill the process `times` times, each time a random while after it has gone on, then let it end."""
    for _ in range(times):
        before = epochs_in_checkpoint(folder)
        process = start(folder, schedule)
        while process.poll() is None and epochs_in_checkpoint(folder) == before:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.15))
        process.send_signal(kill)
        process.wait(60)
    process = start(folder, schedule)
    assert process.wait(120) == 0


def without_seconds(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.parametrize(("kill", "schedule"), [(signal.SIGKILL, "cosine"), (signal.SIGTERM, "plateau")])
def test_killed_and_resumed_equals_undisturbed_bit_for_bit(kill, schedule, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    assert start(undisturbed, schedule).wait(120) == 0
    run_with_kills(disturbed, schedule, kill, np.random.default_rng(0), times=3)
    expected, actual = load_file(undisturbed / "end.safetensors"), load_file(disturbed / "end.safetensors")
    assert expected.keys() == actual.keys()
    assert all(torch.equal(expected[name], actual[name]) for name in expected)
    assert any(name.startswith("objective.history") for name in expected)
    assert without_seconds(undisturbed) == without_seconds(disturbed)


def test_sigterm_saves_in_the_middle_of_an_epoch_and_says_143(tmp_path):
    process = start(tmp_path, "cosine")
    while epochs_in_checkpoint(tmp_path) == 0:
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    assert code in (0, 143)  # 0 only if it ended before the signal came
    assert (tmp_path / "checkpoint.safetensors").exists()


def test_a_checkpoint_of_another_version_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_file({"model/weight": torch.zeros(2)}, path, {"format": "qmf-checkpoint-2", "fingerprint": "x"})
    with pytest.raises(DataError, match=r"format 'qmf-checkpoint-2'.*delete it and start anew"):
        load_checkpoint(path, "x")
