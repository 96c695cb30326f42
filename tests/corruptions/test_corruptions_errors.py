from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from qmf.corruptions import corrupt, corrupt_vectors
from qmf.errors import ConfigError, DataError, MissingDependencyError

WHO = {"seed": 0, "sample_id": "a17", "modality": "rgb"}
GREY = np.zeros((4, 4), np.uint8)


@pytest.mark.parametrize(
    ("name", "severity", "options", "message"),
    [
        ("gausian_noise", 3, {}, "did you mean 'gaussian_noise'"),
        ("jpeg", 0, {}, "severity must be 1, 2, 3, 4 or 5, got 0"),
        ("jpeg", 6, {}, "got 6"),
        ("jpeg", True, {}, "got True"),
        ("jpeg", 2.5, {}, "got 2.5"),
        ("jpeg", None, {}, "needs a severity"),
        ("jpeg", 3, {"quality": 10}, "not both"),
        ("jpeg", None, {"qualty": 10}, "no parameter 'qualty'; it has: quality"),
        ("dead_sensor", None, {"level": 1}, "it has: none"),
        ("jpeg", None, {"quality": 0}, r"quality must lie in \[1, 95\], got 0"),
        ("jpeg", None, {"quality": float("nan")}, "got nan"),
        ("jpeg", None, {"quality": "high"}, "got 'high'"),
        ("typos", 3, {}, "does not fit kind 'image'"),
    ],
)
def test_wrong_settings_are_named(name, severity, options, message):
    with pytest.raises(ConfigError, match=message):
        corrupt(GREY, name, severity, kind="image", **WHO, **options)


def test_unknown_kind():
    with pytest.raises(ConfigError, match="Unknown kind of data 'video'"):
        corrupt(GREY, "jpeg", 3, kind="video", **WHO)


@pytest.mark.parametrize(
    ("name", "kind", "value", "options", "message"),
    [
        ("feature_gaussian", "vector", np.zeros(3), {}, "needs scale"),
        ("feature_gaussian", "vector", np.zeros(3), {"scale": [1, 1]}, r"\[3\] and finite"),
        ("feature_gaussian", "vector", np.zeros(3), {"scale": [1, 1, -1]}, "not negative"),
        ("feature_stuck", "vector", np.zeros(2), {"scale": [1, 1], "center": [0, np.nan]}, "center"),
        ("band_limit", "audio", np.zeros(3), {}, "needs sample_rate"),
        ("band_limit", "audio", np.zeros(3), {"sample_rate": 0}, "sample_rate must be positive"),
    ],
)
def test_what_must_be_known_beside_the_value(name, kind, value, options, message):
    with pytest.raises(ConfigError, match=message):
        corrupt(value, name, 3, kind=kind, **WHO, **options)


@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        ("image", "fog", np.zeros((4, 4, 3)), "got float64"),
        ("image", "fog", np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        ("image", "fog", np.zeros((0, 4), np.uint8), r"\(0, 4\)"),
        ("image", "fog", np.zeros(4, np.uint8), r"got shape \(4,\)"),
        ("image", "fog", "a.png", "got str"),
        ("image", "fog", Image.new("RGBA", (2, 2)), "mode 'RGBA'"),
        ("depth", "depth_holes", np.zeros((4, 4), np.int32), "got int32"),
        ("depth", "depth_holes", np.full((4, 4), -1.0), "not negative"),
        ("depth", "depth_holes", np.full((4, 4), np.inf), "finite or NaN"),
        ("text", "typos", b"abc", "got bytes"),
        ("audio", "clipping", np.zeros((2, 4)), r"waveform \[T\]"),
        ("vector", "zeroed", np.zeros(4, int), "int64"),
        ("vector", "zeroed", np.zeros(0), r"\(0,\)"),
        ("vector", "zeroed", [1.0], "got list"),
        ("vector", "zeroed", np.array([0.0, np.nan]), "entry 1 is NaN"),
    ],
)
def test_wrong_data_name_sample_and_modality(kind, name, value, message):
    with pytest.raises(DataError, match=f"Sample 'a17', modality 'rgb'.*{message}"):
        corrupt(value, name, 3, kind=kind, **WHO)


def test_matrices():
    who = {"seed": 0, "modality": "m"}
    with pytest.raises(DataError, match="1 sample_ids"):
        corrupt_vectors(np.zeros((2, 3)), "zeroed", sample_ids=["a"], **who)
    with pytest.raises(DataError, match=r"rows \(3,\)"):
        corrupt_vectors(np.zeros((2, 3)), "zeroed", sample_ids=["a", "b"], rows=[True] * 3, **who)
    with pytest.raises(DataError, match="Sample 'b', modality 'm': entry 2 is NaN"):
        corrupt_vectors(np.array([[0.0] * 3, [0, 0, np.nan]]), "zeroed", sample_ids=["a", "b"], **who)
    with pytest.raises(ConfigError, match="does not fit kind 'vector'"):
        corrupt_vectors(np.zeros((2, 3)), "jpeg", 3, sample_ids=["a", "b"], **who)


def test_without_pillow_only_what_needs_it_fails(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match="pip install pillow"):
        corrupt(GREY, "jpeg", 3, kind="image", **WHO)
    corrupt(GREY, "defocus_blur", 3, kind="image", **WHO)
