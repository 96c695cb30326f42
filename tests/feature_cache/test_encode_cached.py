import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lengths_encoder import Lengths

from qmf.errors import ConfigError, DataError
from qmf.feature_cache import cache_info, encode_cached
from qmf.feature_cache.encoding import SHARD_ROWS


@pytest.fixture
def encoder() -> Lengths:
    return Lengths()


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/shard-*.safetensors"))


def test_a_text_is_encoded_once_and_none_is_a_row_of_nan(tmp_path, encoder):
    features = encode_cached(encoder, ["ab", None, "c", "ab"], folder=tmp_path)
    np.testing.assert_array_equal(features, [[2, 97, 1], [np.nan] * 3, [1, 99, 1], [2, 97, 1]])
    assert features.dtype == np.float32
    assert encoder.seen == ["ab", "c"]

    again = encode_cached(encoder, ["c", "", "ab"], folder=tmp_path)
    np.testing.assert_array_equal(again, [[1, 99, 1], [0, 0, 1], [2, 97, 1]])
    assert encoder.seen == ["ab", "c", ""]


def test_nothing_and_only_absent_values_touch_neither_encoder_nor_disk(tmp_path, encoder):
    assert encode_cached(encoder, [], folder=tmp_path).shape == (0, 3)
    assert np.isnan(encode_cached(encoder, [None, None], folder=tmp_path)).all()
    assert encoder.seen == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_known_by_its_bytes_not_by_its_name(tmp_path):
    first, copy = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("xyz")
    copy.write_text("xyz")
    encoder = Lengths(kind="image")
    encode_cached(encoder, [str(first), copy], folder=tmp_path / "cache")
    assert len(encoder.seen) == 1
    first.write_text("changed")
    assert encode_cached(encoder, [first], folder=tmp_path / "cache")[0, 0] == 7


def test_another_fingerprint_or_kind_shares_nothing(tmp_path):
    for encoder in (Lengths(), Lengths(fingerprint="lengths-2")):
        encode_cached(encoder, ["ab"], folder=tmp_path)
        assert encoder.seen == ["ab"]
    assert len(cache_info(tmp_path).encoders) == 2


@settings(max_examples=30, deadline=None)
@given(calls=st.lists(st.lists(st.none() | st.sampled_from(["", "a", "ab", "é", "😀x", "\ud800"])), max_size=4))
def test_cached_features_are_those_of_encode_whatever_subset_order_and_duplicates(tmp_path_factory, calls):
    folder, encoder = tmp_path_factory.mktemp("cache"), Lengths()
    for values in calls:
        features = encode_cached(encoder, values, folder=folder)
        for row, value in zip(features, values, strict=True):
            expected = [np.nan] * 3 if value is None else Lengths().encode([value])[0]
            np.testing.assert_array_equal(row, expected)
    distinct = {value for values in calls for value in values if value is not None}
    assert sorted(encoder.seen) == sorted(distinct)


class Interrupted(Lengths):
    def encode(self, values):
        if self.seen:
            raise KeyboardInterrupt
        return super().encode(values)


def test_an_interruption_keeps_the_shards_already_written(tmp_path):
    values = [f"text {i}" for i in range(2 * SHARD_ROWS)]
    with pytest.raises(KeyboardInterrupt):
        encode_cached(Interrupted(), values, folder=tmp_path)
    encoder = Lengths()
    encode_cached(encoder, values, folder=tmp_path)
    assert encoder.seen == values[SHARD_ROWS:]


def test_progress_counts_distinct_values(tmp_path, encoder):
    calls: list[tuple[int, int]] = []
    values = [f"text {i}" for i in range(SHARD_ROWS + 4)]
    encode_cached(encoder, [*values[:3], values[0]], folder=tmp_path)
    encode_cached(encoder, values, folder=tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [(3, 260), (259, 260), (260, 260)]


def test_ten_thousand_cached_texts_are_found_in_under_a_second(tmp_path):
    class Wide(Lengths):
        out_features = 384

        def encode(self, values):
            return np.ones((len(values), 384), dtype=np.float32)

    values = [f"text {i}" for i in range(10_000)]
    encode_cached(Wide(), values, folder=tmp_path)
    start = time.perf_counter()
    features = encode_cached(Wide(), values, folder=tmp_path)
    assert time.perf_counter() - start < 1.0
    assert features.sum() == 384 * 10_000


def test_many_small_shards_become_few(tmp_path, encoder):
    for i in range(40):
        encode_cached(encoder, [f"text {i}"], folder=tmp_path)
    assert len(shards(tmp_path)) < 20
    assert cache_info(tmp_path).encoders[0].entries == 40
    encode_cached(encoder, [f"text {i}" for i in range(40)], folder=tmp_path)
    assert len(encoder.seen) == 40


def encode_half(folder: Path, start: int) -> None:
    for first in range(start, 1000, 50):
        encode_cached(Lengths(), [f"text {i}" for i in range(first, first + 50)], folder=folder)


def test_two_processes_may_write_at_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=encode_half, args=(tmp_path, start)) for start in (0, 25)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert cache_info(tmp_path).unreadable == ()
    assert cache_info(tmp_path).encoders[0].entries == 1025
    encoder, values = Lengths(), [f"text {i}" for i in range(1000)]
    np.testing.assert_array_equal(encode_cached(encoder, values, folder=tmp_path), Lengths().encode(values))
    assert encoder.seen == []


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def replace_by_text(path: Path) -> None:
    path.write_text("not a shard")


def replace_by_foreign_tensors(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros(3)}, path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, replace_by_text, replace_by_foreign_tensors, empty])
def test_a_damaged_or_foreign_shard_is_warned_of_and_computed_again(tmp_path, encoder, damage):
    expected = encode_cached(encoder, ["ab", "c"], folder=tmp_path)
    damage(shards(tmp_path)[0])
    with pytest.warns(UserWarning, match=r"shard-\w+\.safetensors is ignored"):
        features = encode_cached(encoder, ["ab", "c"], folder=tmp_path)
    np.testing.assert_array_equal(features, expected)
    assert encoder.seen == ["ab", "c"] * 2


def test_a_shard_of_another_encoder_in_this_folder_is_ignored(tmp_path, encoder):
    other = Lengths(fingerprint="lengths-2")
    encode_cached(other, ["ab"], folder=tmp_path)
    encode_cached(encoder, ["c"], folder=tmp_path)
    [of_encoder] = [path for path in shards(tmp_path) if b"lengths-1" in path.read_bytes()]
    [of_other] = [path for path in shards(tmp_path) if b"lengths-2" in path.read_bytes()]
    of_other.rename(of_encoder.with_name(of_other.name))
    with pytest.warns(UserWarning, match="another encoder"):
        encode_cached(encoder, ["ab"], folder=tmp_path)
    assert encoder.seen == ["c", "ab"]


def test_a_folder_that_cannot_be_written_is_worked_around(tmp_path, encoder):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="cannot be written") as warned:
        features = encode_cached(encoder, [f"text {i}" for i in range(600)], folder=tmp_path / "file")
    assert len(warned) == 1
    assert np.isfinite(features).all()


def test_errors_name_the_value(tmp_path, encoder):
    with pytest.raises(DataError, match=r"Value 1: .* is a float"):
        encode_cached(encoder, ["ab", float("nan")], folder=tmp_path)
    with pytest.raises(DataError, match=r"Value 0: .*nowhere\.png cannot be read"):
        encode_cached(Lengths(kind="image"), ["nowhere.png"], folder=tmp_path)
    with pytest.raises(ConfigError, match="limit is -1"):
        encode_cached(encoder, ["ab"], folder=tmp_path, limit=-1)


def test_an_encoder_that_breaks_its_promise_is_named(tmp_path, encoder):
    encoder.encode = lambda values: np.full((len(values), 3), np.inf)
    with pytest.raises(DataError, match="text encoder gave a number that is not finite for value 1"):
        encode_cached(encoder, [None, "ab"], folder=tmp_path)
    encoder.encode = lambda values: np.zeros((len(values), 2))
    with pytest.raises(DataError, match=r"gave features \(1, 2\), expected \(1, 3\)"):
        encode_cached(encoder, ["ab"], folder=tmp_path)
    assert shards(tmp_path) == []


def test_arrays_and_bytes_are_content_too(tmp_path):
    encoder = Lengths(kind="audio")
    encoder._row = lambda value: (float(len(value)), 0.0, 1.0)
    values = [np.zeros(3), np.zeros(3), np.zeros(3, dtype=np.float32), np.zeros((1, 3)), b"abc"]
    assert encode_cached(encoder, values, folder=tmp_path)[:, 0].tolist() == [3, 3, 3, 1, 3]
    assert len(encoder.seen) == 4
