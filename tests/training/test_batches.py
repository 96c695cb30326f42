import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qmf.training.batches import TensorBatches, epoch_order


def dataset(n: int, *, complete: bool = True) -> TensorBatches:
    present = torch.ones(n, 2, dtype=torch.bool)
    if not complete:
        present[0, 1] = False
    inputs = {"a": torch.arange(n, dtype=torch.float32)[:, None], "b": torch.zeros(n, 3)}
    return TensorBatches(inputs, present, torch.arange(n) % 2)


def test_a_batch_holds_the_rows_asked_for():
    batch = dataset(5, complete=False).take(torch.tensor([3, 0]))
    assert batch.inputs["a"].flatten().tolist() == [3.0, 0.0]
    assert batch.target.tolist() == [1, 0]
    assert batch.present.tolist() == [[True, True], [True, False]]


def test_presence_is_left_out_where_all_is_there():
    assert dataset(5).take(torch.tensor([1])).present is None


def test_order_is_a_function_of_seed_and_epoch():
    assert torch.equal(epoch_order(50, 3, 7), epoch_order(50, 3, 7))
    assert not torch.equal(epoch_order(50, 3, 7), epoch_order(50, 3, 8))
    assert not torch.equal(epoch_order(50, 3, 7), epoch_order(50, 4, 7))


def test_starting_at_a_later_sample_gives_the_rest_of_the_same_order():
    data = dataset(11)
    whole = [batch.index.tolist() for batch in data.shuffled(3, 0, 0)]
    assert [batch.index.tolist() for batch in data.shuffled(3, 0, 0, first=6)] == whole[2:]


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 40), size=st.integers(1, 7), world=st.integers(1, 4))
def test_all_ranks_together_see_every_sample_once(n, size, world):
    data = dataset(n)
    ranks = [list(data.shuffled(size, 0, 0, rank=r, world_size=world)) for r in range(world)]
    assert {len(batches) for batches in ranks} == {data.num_batches(size)}
    seen = np.concatenate([batch.index.numpy() for batches in ranks for batch in batches])
    assert sorted(seen[seen >= 0].tolist()) == list(range(n))
    alone = [sorted(batch.index.tolist()) for batch in data.shuffled(size, 0, 0)]
    together = [np.concatenate([batch.index.numpy() for batch in step]) for step in zip(*ranks, strict=True)]
    assert [sorted(index[index >= 0].tolist()) for index in together] == alone


def test_a_data_set_of_some_rows_is_that_of_their_copies():
    whole, rows = dataset(9, complete=False), torch.tensor([7, 2, 0])
    some = TensorBatches(whole.inputs, whole.present, whole.target, rows=rows)
    copies = TensorBatches({n: x[rows] for n, x in whole.inputs.items()}, whole.present[rows], whole.target[rows])
    assert len(some) == 3
    for one, other in zip(some.shuffled(2, 0, 0), copies.shuffled(2, 0, 0), strict=True):
        assert torch.equal(one.inputs["a"], other.inputs["a"])
        assert torch.equal(one.present, other.present)
        assert torch.equal(one.target, other.target)
        assert torch.equal(one.index, other.index)
