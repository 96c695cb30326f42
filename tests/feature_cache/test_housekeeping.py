import os
from pathlib import Path

import numpy as np
import pytest
from lengths_encoder import Lengths

from qmf.encoders.frozen import cache_home, is_offline
from qmf.errors import ConfigError
from qmf.feature_cache import cache_info, cache_limit, clear_cache, encode_cached, feature_folder


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/shard-*.safetensors"), key=lambda path: path.stat().st_mtime_ns)


def fill(folder: Path, texts: list[str]) -> int:
    """One shard per text, the first unused for longest; give the bytes of one shard."""
    for age, text in enumerate(texts):
        before = set(shards(folder))
        encode_cached(Lengths(), [text], folder=folder)
        [new] = set(shards(folder)) - before
        os.utime(new, (1000 + age, 1000 + age))
    return shards(folder)[0].stat().st_size


def seen(folder: Path, texts: list[str], limit: int | None = None) -> list[str]:
    encoder = Lengths()
    encode_cached(encoder, texts, folder=folder, limit=limit)
    return encoder.seen


def test_an_empty_cache_has_no_entries(tmp_path):
    info = cache_info(tmp_path / "nowhere")
    assert (info.bytes, info.encoders, info.unreadable) == (0, (), ())
    assert clear_cache(tmp_path / "nowhere") == 0


def test_info_counts_entries_and_bytes_per_encoder(tmp_path):
    encode_cached(Lengths(), ["ab", "c"], folder=tmp_path)
    encode_cached(Lengths(), ["d"], folder=tmp_path)
    encode_cached(Lengths(fingerprint="lengths-2"), ["ab"], folder=tmp_path)
    (tmp_path / "text-0").mkdir()
    (tmp_path / "text-0" / "shard-0.safetensors").write_text("damaged")
    info = cache_info(tmp_path)
    assert [(e.fingerprint, e.entries) for e in info.encoders] == [("lengths-1", 3), ("lengths-2", 1)]
    assert info.bytes == sum(e.bytes for e in info.encoders) + len("damaged")
    assert [path.name for path in info.unreadable] == ["shard-0.safetensors"]
    assert (info.encoders[0].kind, info.encoders[0].out_features, info.folder) == ("text", 3, tmp_path)


def test_clear_removes_shards_and_leaves_other_files(tmp_path):
    encode_cached(Lengths(), ["ab"], folder=tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    size = cache_info(tmp_path).bytes
    assert clear_cache(tmp_path) == size > 0
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == [
        str(Path("photos") / "cat.jpg")
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    assert seen(tmp_path, ["ab"]) == ["ab"]


def test_beyond_the_limit_what_was_not_used_for_longest_goes(tmp_path):
    size = fill(tmp_path, ["a", "b", "c"])
    assert seen(tmp_path, ["a"]) == []  # used now, so b is the oldest
    assert seen(tmp_path, ["d"], limit=3 * size) == ["d"]
    assert cache_info(tmp_path).bytes == 3 * size
    assert seen(tmp_path, ["a", "c", "d"]) == []
    assert seen(tmp_path, ["b"]) == ["b"]


def test_the_limit_counts_all_encoders_together(tmp_path):
    size = fill(tmp_path, ["a"])
    encode_cached(Lengths(fingerprint="lengths-2"), ["a"], folder=tmp_path, limit=size)
    assert [e.fingerprint for e in cache_info(tmp_path).encoders] == ["lengths-2"]


def test_a_limit_of_zero_keeps_nothing_and_still_encodes(tmp_path):
    features = encode_cached(Lengths(), ["ab"], folder=tmp_path, limit=0)
    np.testing.assert_array_equal(features, [[2, 97, 1]])
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_writers_that_died_long_ago_go(tmp_path):
    fill(tmp_path, ["a"])
    old, new = (shards(tmp_path)[0].with_name(f".shard-{name}.safetensors") for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (1000, 1000))
    seen(tmp_path, ["b"])
    assert not old.exists()
    assert new.exists()


def test_the_limit_comes_from_the_argument_then_the_environment_then_ten_gigabytes(monkeypatch):
    monkeypatch.delenv("QMF_CACHE_LIMIT", raising=False)
    assert cache_limit() == 10_000_000_000
    monkeypatch.setenv("QMF_CACHE_LIMIT", "500")
    assert cache_limit() == 500
    assert cache_limit(7) == 7
    monkeypatch.setenv("QMF_CACHE_LIMIT", "10GB")
    with pytest.raises(ConfigError, match="QMF_CACHE_LIMIT is '10GB'"):
        cache_limit()


def test_the_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("QMF_CACHE", str(tmp_path / "mine"))
    assert feature_folder() == tmp_path / "mine" / "features"
    encode_cached(Lengths(), ["ab"])
    assert cache_info().encoders[0].entries == 1
    monkeypatch.delenv("QMF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_home() == tmp_path / "qmf"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_home().name == "qmf"
    assert feature_folder(tmp_path) == tmp_path


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_offline_is_said_by_the_environment(monkeypatch, value, offline):
    monkeypatch.setenv("QMF_OFFLINE", value)
    assert is_offline() is offline
