"""Two processes, each with half of the data, end with the history of one."""

import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from qmf.history import LossHistory

LOSSES = torch.arange(12.0).reshape(6, 2)


def record_half(rank, port, folder):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    history = LossHistory(6, 2)
    for start in (0, 2, 4):
        index = torch.tensor([start + rank])
        history.record(index, LOSSES[index], torch.ones(1, 2, dtype=torch.bool))
    history.end_epoch()
    torch.save(history.state_dict(), f"{folder}/{rank}")
    dist.destroy_process_group()


def test_every_rank_ends_with_the_whole_history(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(record_half, (port, str(tmp_path)), nprocs=2)
    alone = LossHistory(6, 2)
    alone.record(torch.arange(6), LOSSES, torch.ones(6, 2, dtype=torch.bool))
    alone.end_epoch()
    for rank in range(2):
        state = torch.load(tmp_path / str(rank), weights_only=True)
        for name, value in alone.state_dict().items():
            assert torch.equal(state[name], value), (rank, name)
