"""Reading sounds: every format, every broken file, and nothing but a `DataError` where one cannot be read."""

import io
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import resample_poly

from qmf.encoders import sounds
from qmf.encoders.sounds import AudioReader
from qmf.errors import ConfigError, DataError, MissingDependencyError

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")


def tone(frequency=300, rate=8000, seconds=0.5):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def encoded(waveform, file_format="WAV", rate=8000):
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate, format=file_format)
    return bytearray(buffer.getvalue())


def test_channels_are_averaged_and_the_length_is_fixed_by_hand():
    reader = AudioReader(4, 1.0)
    assert reader((np.array([[1.0, 0.0], [0.0, -1.0]]), 4)).tolist() == [0.5, -0.5, 0.0, 0.0]
    assert reader((np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 4)).tolist() == [1.0, 2.0, 3.0, 4.0]
    assert reader((np.array([1.0], dtype=np.float16), np.int64(4))).dtype == np.float32
    assert AudioReader()((np.zeros(3), 16000)).shape == (64000,)


@pytest.mark.parametrize(("file_format", "error"), [("WAV", 1e-4), ("FLAC", 1e-4), ("OGG", 0.05), ("MP3", 0.05)])
def test_every_format_is_read_from_a_path_a_string_and_bytes(tmp_path, file_format, error):
    content = bytes(encoded(tone(), file_format))
    path = tmp_path / f"sound.{file_format.lower()}"
    path.write_bytes(content)
    reader = AudioReader(8000, 0.4)
    read = reader(path)
    np.testing.assert_array_equal(reader(str(path)), read)
    np.testing.assert_array_equal(reader(content), read)
    assert np.sqrt(np.mean((read[500:3000] - tone()[500:3000]) ** 2)) < error


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 16000), (44100, 16000), (48000, 8000), (11025, 8000)])
@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0])
def test_resampling_only_what_is_kept_is_resampling_all(rate, wanted, seconds):
    waveform = np.random.default_rng(0).normal(size=rate // 2)
    expected = np.zeros(round(wanted * seconds), dtype=np.float32)
    whole = resample_poly(waveform, wanted, rate)[: len(expected)]
    expected[: len(whole)] = whole
    np.testing.assert_array_equal(AudioReader(wanted, seconds)((waveform, rate)), expected)


def test_a_change_is_applied_to_the_whole_sound_before_it_is_cut():
    class Halved:
        source = (np.ones(8), 8)

        def apply(self, waveform, rate):
            assert (len(waveform), rate) == (8, 8)
            return waveform / 2

    assert AudioReader(8, 0.5)(Halved()).tolist() == [0.5] * 4


def test_broken_files_are_named_with_their_reason(tmp_path):
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_text("no sound")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    soundfile.write(tmp_path / "inf.wav", np.array([0.0, np.inf]), 8000, subtype="FLOAT")
    (tmp_path / "cut.flac").write_bytes(encoded(tone(), "FLAC")[:1000])
    reasons = {
        "": "a folder",
        "gone.wav": "a link to a file that does not exist",
        "nowhere.wav": "no such file",
        "empty.wav": r"empty \(0 bytes\)",
        "text.mp3": "not a whole sound",
        "none.wav": "0 samples",
        "nan.wav": "NaN or infinite",
        "inf.wav": "NaN or infinite",
        "cut.flac": "not a whole sound",
        "x" * 5000: "File name too long",
    }
    for name, reason in reasons.items():
        with pytest.raises(DataError, match=f"{name[:9]}.*: .*{reason}"):
            AudioReader()(tmp_path / name)


def test_headers_that_lie_take_no_memory():
    frames = encoded(tone(), "FLAC")
    frames[21] |= 0x0F
    frames[22:26] = b"\xff" * 4
    rate = encoded(tone())
    rate[24:28] = struct.pack("<I", 2**31 - 19)
    for content, reason in [(frames, "68,719,476,735 samples, more than"), (rate, "cannot be converted to 16,000")]:
        with pytest.raises(DataError, match=reason):
            AudioReader()(bytes(content))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "a NoneType where a sound belongs"),
        (b"", "0 bytes"),
        (b"RIFF", "a sound given as bytes: not a whole sound"),
        ((np.zeros(3),), "a tuple of 1"),
        ((np.zeros(3), None), "sample rate None"),
        ((np.zeros(3), float("nan")), "sample rate nan"),
        ((np.zeros(3), 0), "sample rate 0"),
        ((np.zeros((2, 2, 2)), 8000), r"shape \(2, 2, 2\).*expected floats"),
        ((np.zeros(3, dtype=np.int16), 8000), "int16; expected floats"),
        ((np.zeros(0), 8000), "0 samples"),
        ((np.array([np.inf]), 8000), "NaN or infinite"),
        ((np.full((2, 2), 3e38, dtype=np.float32), 8000), "beyond 1e\\+12"),
    ],
)
def test_other_values_are_refused(value, reason):
    with pytest.raises(DataError, match=reason):
        AudioReader()(value)


@pytest.mark.parametrize("arguments", [(0, 1.0), (8000, 0.0), (8000, 1e-9), (8000, float("inf")), (8000, float("nan"))])
def test_wrong_parameters_are_refused(arguments):
    with pytest.raises(ConfigError, match="expected positive numbers"):
        AudioReader(*arguments)


def test_without_soundfile_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "qmf\[audio\]"'):
        AudioReader()(b"RIFF")
    assert AudioReader(4, 0.5)((np.ones(2), 4)).tolist() == [1.0, 1.0]


def test_a_reader_is_pickled_and_needs_no_torch():
    reader = AudioReader(8000, 1.5)
    assert pickle.loads(pickle.dumps(reader)) == reader
    code = f"import sys, {sounds.__name__} as s; s.AudioReader()((__import__('numpy').zeros(9), 8000))"
    done = subprocess.run(
        [sys.executable, "-c", code + "; print('torch' in sys.modules)"], capture_output=True, check=True
    )
    assert done.stdout.split() == [b"False"]
