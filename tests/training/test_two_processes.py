"""Training started by torchrun on two processes: every sample counts once, and both end with the same."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = """
import os
import signal
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from torch import distributed as dist
from qmf.encoders import MLPEncoder
from qmf.fusion import QualityAwareFusion
from qmf.history import LossHistory
from qmf.objective import QMFObjective
from qmf.training import TensorBatches, TrainingSettings, train

folder, preset, stop_at, how, shard = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5] == "True"
generator = torch.Generator().manual_seed(0)
n = 51  # odd: one process is filled up with a row that counts for nothing
x = torch.randn(n, 4, generator=generator)
present = torch.rand(n, 2, generator=generator) > 0.2
present[:, 0] |= ~present.any(dim=1)
if preset == "robust":  # losses are means over what is there: over slices they are means over the whole where all is
    present[:] = True
data = TensorBatches({"a": x, "b": x.clone()}, present, (x[:, 0] > 0).long())
torch.manual_seed(0)
dropout = 0.0 if shard else 0.3  # what is dropped belongs to the sample, whichever process has it
model = QualityAwareFusion({"a": MLPEncoder(4, 8, dropout), "b": MLPEncoder(4, 8, dropout)}, 2)
objective = QMFObjective(n, 2, preset=preset)
record, calls = LossHistory.record, iter(range(1, 10**6))

def stopping(*arguments):
    record(*arguments)
    if next(calls) == stop_at:
        os._exit(9) if how == "kill" else os.kill(os.getpid(), signal.SIGTERM)

LossHistory.record = stopping
step, held = torch.optim.AdamW.step, []

def looking(self, *arguments, **options):
    held[:] = [p for group in self.param_groups for p in group["params"]]
    return step(self, *arguments, **options)

torch.optim.AdamW.step = looking
settings = TrainingSettings(epochs=6, batch_size=8, shard=shard)
train(model, objective, data, None, settings, folder=Path(folder), resume=True)
rank = dist.get_rank() if dist.is_initialized() else 0
state = {f"model.{name}": value for name, value in model.state_dict().items()}
state |= {f"history.{name}": value for name, value in objective.history.state_dict().items()}
own = sum(getattr(p, "_local_tensor", p).numel() for p in held)
state |= {"present": present, "share": torch.tensor([own, sum(p.numel() for p in held)])}
save_file(state, f"{folder}/{rank}.safetensors")
if dist.is_initialized():
    dist.destroy_process_group()
# A thread of the group that is still there when the interpreter ends may abort it.
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
assert shard or not any("gloo" in name for name in names), names  # dividing leaves it in caches of torch
"""


def start(folder, processes, preset="paper", stop_at=0, how="never", shard=False):
    """Run the script until it ends, or is stopped after so many steps; its exit status and messages."""
    (folder / "script.py").write_text(SCRIPT)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    launch = [sys.executable, *(torchrun if processes > 1 else [])]
    command = [*launch, str(folder / "script.py"), str(folder), preset, str(stop_at), how, str(shard)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stderr


def ends(folder, processes):
    return [load_file(folder / f"{rank}.safetensors") for rank in range(processes)]


def test_history_and_weights_agree(tmp_path):
    status, messages = start(tmp_path, 2)
    assert status == 0, messages
    first, second = ends(tmp_path, 2)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(first["history.count"], 6 * first["present"].int())


def test_a_divided_model_ends_as_one_that_is_whole(tmp_path):
    folders = [tmp_path / name for name in ("alone", "divided")]
    for folder, processes in zip(folders, (1, 2), strict=True):
        folder.mkdir()
        status, messages = start(folder, processes, "robust", shard=True)
        assert status == 0, messages
    (wanted,), (first, second) = ends(folders[0], 1), ends(folders[1], 2)
    own, size = (torch.stack([end["share"] for end in (first, second)])).unbind(1)
    assert own.sum() == size[0]
    assert (own > 0.4 * size).all()
    for name in wanted.keys() - {"share"}:
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], wanted[name], rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("shard", [False, True])
def test_stopped_and_resumed_on_another_number_of_processes_it_ends_as_undisturbed_on_one(tmp_path, shard):
    alone, changing = tmp_path / "alone", tmp_path / "changing"
    alone.mkdir()
    changing.mkdir()
    assert start(alone, 1, "robust", shard=shard)[0] == 0
    # Of 7 steps an epoch: killed in the second epoch, stopped in the fourth within it, and in the fifth at its end.
    assert start(changing, 2, "robust", 10, "kill", shard)[0] != 0
    messages = start(changing, 1, "robust", 17, "terminate", shard)[1]
    assert "stopped by SIGTERM in epoch 3" in messages, messages
    messages = start(changing, 2, "robust", 7, "terminate", shard)[1]
    assert "stopped by SIGTERM" in messages, messages
    assert start(changing, 1, "robust", shard=shard)[0] == 0
    (wanted,), (given,) = ends(alone, 1), ends(changing, 1)
    assert torch.equal(given["history.count"], 6 * given["present"].int())
    for name in wanted.keys() - {"share"}:
        torch.testing.assert_close(given[name], wanted[name], rtol=1e-3, atol=1e-4, msg=name)
