"""1,000 rows, 30 of them broken in every way: `validate` names them and nothing else, `fit` refuses or counts them."""

import json
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")

ROWS = 1000


def truncated(path):
    whole = path.with_suffix(".whole.jpg")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(whole)
    path.write_bytes(whole.read_bytes()[:900])
    whole.unlink()


def huge(path):
    """A PNG of 20,000 x 20,000 grey pixels, 400 kB on disk."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    side = 20_000
    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress(bytes((side + 1) * side), 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


PICTURES = {
    "truncated": truncated,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("this is no picture"),
    "huge": huge,
    "folder": lambda path: path.mkdir(),
    "link": lambda path: path.symlink_to(path.with_name("nowhere.jpg")),
}
SOUNDS = {
    "silent": lambda path: soundfile.write(path, np.zeros(0, dtype=np.float32), 8000),
    "no sound": lambda path: path.write_bytes(b"RIFF and nothing more"),
    "empty": lambda path: path.write_bytes(b""),
}
LATIN_1 = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rows with a picture, a sound and a text each; 6 x 3 broken pictures, 3 x 3 sounds, 3 texts: 30."""
    root = tmp_path_factory.mktemp("broken")
    rng = np.random.default_rng(0)
    for name in ("pic", "snd"):
        (root / name).mkdir()
    for label in range(2):
        for copy in range(10):
            grey = np.full((16, 16, 3), 60 + 120 * label + copy, dtype=np.uint8)
            Image.fromarray(grey).save(root / "pic" / f"good{label}{copy}.png")
            wave = np.sin(np.arange(800) * (0.1 + 0.3 * label)) * (0.5 + copy / 40)
            soundfile.write(root / "snd" / f"good{label}{copy}.wav", wave.astype(np.float32), 8000)
    rows = []
    for i in range(ROWS):
        label, copy = i % 2, int(rng.integers(10))
        rows.append([f"s{i}", "ab"[label], f"pic/good{label}{copy}.png", f"snd/good{label}{copy}.wav", f"word{label}"])
    broken = []
    for kind, (name, make) in enumerate(PICTURES.items()):
        for copy in range(3):
            row = 10 + 40 * kind + 7 * copy
            rows[row][2] = f"pic/{name}{copy}.jpg"
            make(root / rows[row][2])
            broken.append((row, "photo"))
    for kind, (name, make) in enumerate(SOUNDS.items()):
        for copy in range(3):
            row = 500 + 40 * kind + 7 * copy
            rows[row][3] = f"snd/{name}{copy}.wav"
            make(root / rows[row][3])
            broken.append((row, "sound"))
    for copy in range(LATIN_1):
        rows[900 + copy][4] = "caf\u00e9"
        broken.append((900 + copy, "title"))
    lines = ["id,label,img,snd,title", *(",".join(row) for row in rows)]
    encoded = [line.encode("latin-1") for line in lines]
    (root / "t.csv").write_bytes(b"\n".join(encoded) + b"\n")
    (root / "c.yaml").write_text(
        """
data:
  train: t.csv
  id: id
  workers: 0
  modalities:
    photo: {type: image, columns: img, encoder: "tiny_encoders:TinyPictures"}
    sound: {type: audio, columns: snd, options: {sample_rate: 8000, seconds: 0.1, bands: 8}}
    title: {type: text, columns: title, encoder: hashed-words, options: {out_features: 32}}
training: {epochs: 2}
"""
    )
    (root / "tiny_encoders.py").write_text(
        """
import numpy as np
from qmf.encoders.pictures import ImageReader

class TinyPictures:
    kind, out_features, fingerprint = "image", 3, "tiny-1"
    reader = ImageReader(8)
    def encode(self, values):
        return self.forward([self.reader(value) for value in values])
    def forward(self, prepared):
        return np.stack([x.mean(axis=(0, 1)) for x in prepared]).astype(np.float32)
"""
    )
    assert len(broken) == 30
    return root, broken


def run(root, *arguments):
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(root),
        "QMF_CACHE": str(root / "cache"),
        "HOME": str(root),
    }
    command = [sys.executable, "-m", "qmf.cli", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_validate_names_all_thirty_and_nothing_else(folder):
    root, broken = folder
    result = run(root, "validate", "c.yaml", "--json")
    assert result.returncode == 3, result.stderr
    problems = json.loads(result.stdout)["parts"]["train"]["problems"]
    assert sorted((p["row"], p["modality"]) for p in problems) == sorted(broken)
    shown = run(root, "validate", "c.yaml").stderr
    assert shown.count("unreadable: line") == 30
    for reason in ("not a whole picture", "empty (0 bytes)", "400000000 pixels", "a folder where", "0 samples"):
        assert reason in shown
    assert "a link to a file that does not exist" in shown
    assert "not UTF-8" in shown


def test_fit_refuses_and_lists_all_thirty(folder):
    root, broken = folder
    result = run(root, "fit", "c.yaml", "-o", "refused", "-q")
    assert result.returncode == 3
    assert "30 values cannot be read" in result.stderr
    for row, modality in broken:
        assert f"line {row + 2} (id 's{row}'), modality '{modality}'" in result.stderr
    assert not (root / "refused").exists()


def test_fit_counts_them_as_absent_if_told_to(folder):
    root, broken = folder
    result = run(root, "fit", "c.yaml", "-o", "model", "-q", "--json", "--set", "data.on_error=absent")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["unreadable"] == 30
    lines = (root / "model" / "training" / "unreadable.jsonl").read_text().splitlines()
    assert sorted((json.loads(line)["row"], json.loads(line)["modality"]) for line in lines) == sorted(broken)
