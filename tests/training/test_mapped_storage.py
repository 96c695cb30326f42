"""A history in files is the history in memory."""

import pytest
import torch

from qmf.errors import DataError
from qmf.history import LossHistory
from qmf.training import mapped_storage


def test_it_is_the_same_and_is_taken_up_where_it_was(tmp_path):
    generator, plain = torch.Generator().manual_seed(0), LossHistory(50, 2)
    for _ in range(3):
        mapped = LossHistory(50, 2, storage=mapped_storage(tmp_path, 50, 2))  # opened anew: the files are the state
        mapped.load_state_dict(plain.state_dict(), strict=False)
        for index in torch.randperm(50, generator=generator).split(16):
            loss = torch.rand(len(index), 2, generator=generator)
            there = torch.rand(len(index), 2, generator=generator) > 0.3
            for history in (plain, mapped):
                history.record(index, loss, there)
        for history in (plain, mapped):
            history.end_epoch()
        assert torch.equal(mapped.total, plain.total)
        assert torch.equal(mapped.count, plain.count)
        assert torch.equal(mapped.kappa(torch.arange(50))[0], plain.kappa(torch.arange(50))[0])
    assert set(mapped.state_dict()) == set(plain.state_dict()) - {"total", "count"}


def test_a_file_is_sparse_and_of_one_size(tmp_path):
    mapped_storage(tmp_path, 10**7, 2)
    assert (tmp_path / "history.total").stat().st_size == 8 * 10**7
    assert (tmp_path / "history.total").stat().st_blocks < 1000
    with pytest.raises(DataError, match=r"history\.total has 80000000 bytes; a history of 7 samples and 2 modalities"):
        mapped_storage(tmp_path, 7, 2)
    with pytest.raises(ValueError, match=r"expected \(8, 2\)"):
        LossHistory(8, 2, storage=(torch.zeros(7, 2), torch.zeros(7, 2, dtype=torch.int32)))
