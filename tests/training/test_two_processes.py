"""Training started by torchrun on two processes: every sample counts once, and both end with the same."""

import os
import subprocess
import sys

import torch
from safetensors.torch import load_file

SCRIPT = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from torch import distributed as dist
from qmf.encoders import MLPEncoder
from qmf.fusion import QualityAwareFusion
from qmf.objective import QMFObjective
from qmf.training import TensorBatches, TrainingSettings, train

generator = torch.Generator().manual_seed(0)
n = 51  # odd: one process is filled up with a row that counts for nothing
x = torch.randn(n, 4, generator=generator)
present = torch.rand(n, 2, generator=generator) > 0.2
present[:, 0] |= ~present.any(dim=1)
data = TensorBatches({"a": x, "b": x.clone()}, present, (x[:, 0] > 0).long())
torch.manual_seed(0)
model = QualityAwareFusion({"a": MLPEncoder(4, 8, 0.0), "b": MLPEncoder(4, 8, 0.0)}, 2)
objective = QMFObjective(n, 2)
train(model, objective, data, None, TrainingSettings(epochs=3, batch_size=8))
assert dist.get_world_size() == 2
state = {f"model.{name}": value for name, value in model.state_dict().items()}
state |= {f"history.{name}": value for name, value in objective.history.state_dict().items()}
save_file(state | {"present": present}, f"{sys.argv[1]}/{dist.get_rank()}.safetensors")
dist.destroy_process_group()
# A thread of the group that is still there when the interpreter ends may abort it.
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
assert not any("gloo" in name for name in names), names
"""


def test_history_and_weights_agree(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launch, str(tmp_path / "script.py"), str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(first["history.count"], 3 * first["present"].int())
