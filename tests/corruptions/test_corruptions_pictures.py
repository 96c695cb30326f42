from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from qmf.corruptions import CORRUPTIONS, corrupt

WHO = {"seed": 0, "sample_id": "a", "modality": "camera"}


def image(value, name, severity=None, **parameters):
    return corrupt(value, name, severity, kind="image", **WHO, **parameters)


def depth(value, name, severity=None, **parameters):
    return corrupt(value, name, severity, kind="depth", **WHO, **parameters)


def test_by_hand():
    grey = np.array([[10, 20], [30, 40]], np.uint8)
    assert image(grey, "dead_sensor").tolist() == [[0, 0], [0, 0]]
    assert image(grey, "contrast", factor=0).tolist() == [[25, 25], [25, 25]]
    assert image(grey, "brightness", shift=1).tolist() == [[255, 255], [255, 255]]
    assert image(grey, "occlusion", area=1).tolist() == [[0, 0], [0, 0]]
    assert image(grey, "low_resolution", factor=0.5).tolist() == [[25, 25], [25, 25]]
    assert image(grey, "gaussian_noise", sigma=0).tolist() == grey.tolist()


def test_brightness_keeps_hue_and_saturation():
    pixel = np.array([[[100, 50, 25]]], np.uint8)
    assert image(pixel, "brightness", shift=100 / 255).tolist() == [[[200, 100, 50]]]
    assert image(pixel, "brightness", shift=-50 / 255).tolist() == [[[50, 25, 12]]]
    assert image(np.zeros((1, 1, 3), np.uint8), "brightness", shift=0.2).tolist() == [[[51, 51, 51]]]


def test_gaussian_noise_has_its_standard_deviation_in_every_channel():
    noise = image(np.full((200, 200, 3), 128, np.uint8), "gaussian_noise", sigma=0.08).astype(float) - 128
    n = 200 * 200
    for channel in range(3):
        std = noise[..., channel].std()
        expected = math.hypot(0.08 * 255, math.sqrt(1 / 12))
        assert abs(std - expected) < 5 * expected / math.sqrt(2 * n)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 5 / math.sqrt(n)


def test_shot_noise_variance_is_brightness_over_photons():
    bright = image(np.full((200, 200), 102, np.uint8), "shot_noise", photons=60) / 255
    assert abs(bright.mean() - 0.4) < 5 * math.sqrt(0.4 / 60 / 40000)
    assert bright.var() == pytest.approx(0.4 / 60, rel=0.05)


def test_salt_and_pepper_rates_and_whole_pixels():
    noisy = image(np.full((200, 200, 3), 128, np.uint8), "salt_and_pepper", density=0.2)
    n = 200 * 200
    for level in (0, 255):
        hits = (noisy == level).all(axis=2).sum()
        assert abs(hits - 0.1 * n) < 5 * math.sqrt(n * 0.1 * 0.9)
        assert ((noisy == level).any(axis=2) == (noisy == level).all(axis=2)).all()


def naive_convolution(picture, kernel):
    reach = len(kernel) // 2
    padded = np.pad(picture, reach, mode="symmetric")
    result = np.zeros(picture.shape)
    for i in range(picture.shape[0]):
        for j in range(picture.shape[1]):
            result[i, j] = (padded[i : i + len(kernel), j : j + len(kernel)] * kernel[::-1, ::-1]).sum()
    return result


def test_defocus_is_a_naive_disc():
    picture = np.random.default_rng(0).integers(0, 256, (20, 22), dtype=np.uint8)
    y, x = np.mgrid[-2:3, -2:3]
    disc = np.clip(2.5 - np.sqrt(x**2 + y**2), 0, 1)
    expected = naive_convolution(picture.astype(float), disc / disc.sum())
    assert np.abs(image(picture, "defocus_blur", radius=0.1) - expected).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("name", ["gaussian_blur", "motion_blur", "defocus_blur"])
def test_blur_of_a_point_keeps_its_light_and_place(name):
    point = np.zeros((65, 65), np.float32)
    point[32, 32] = 1000
    raw = CORRUPTIONS[name].severities[2]
    blurred = CORRUPTIONS[name].function(point[:, :, None].astype(float), np.random.default_rng(1), **raw)[:, :, 0]
    assert blurred.sum() == pytest.approx(1000)
    rows, columns = np.mgrid[0:65, 0:65]
    assert (blurred * rows).sum() / 1000 == pytest.approx(32)
    assert (blurred * columns).sum() / 1000 == pytest.approx(32)
    np.testing.assert_allclose(blurred, blurred[::-1, ::-1], atol=1e-9)


def test_motion_blur_is_as_long_as_asked_and_thin():
    point = np.zeros((101, 101, 1))
    point[50, 50] = 1.0
    blurred = CORRUPTIONS["motion_blur"].function(point, np.random.default_rng(1), length=0.2)[:, :, 0]
    rows, columns = np.mgrid[-50:51, -50:51]
    moments = np.cov(np.stack([rows.ravel(), columns.ravel()]), aweights=blurred.clip(0).ravel())
    thin, long = np.sqrt(np.linalg.eigvalsh(moments))
    assert long == pytest.approx(0.2 * 101 / math.sqrt(12), rel=0.05)
    assert thin < 0.6


def test_fog_is_between_picture_and_airlight():
    dark = np.zeros((64, 64, 3), np.uint8)
    foggy = image(dark, "fog", thickness=1.0) / 255
    low, high = 0.9 * (1 - math.exp(-0.4)), 0.9 * (1 - math.exp(-1.0))
    assert foggy.min() == pytest.approx(low, abs=0.002)
    assert foggy.max() == pytest.approx(high, abs=0.002)
    assert (foggy[..., 0] == foggy[..., 2]).all()


def test_occlusion_covers_its_area():
    white = np.full((100, 200, 3), 255, np.uint8)
    hidden = image(white, "occlusion", area=0.25) == 0
    assert hidden.mean() == 0.25
    assert hidden.any(axis=(1, 2)).sum() == 50


def test_jpeg_is_pillow_at_that_quality(example, tmp_path):
    clean = example("image")
    Image.fromarray(clean).save(tmp_path / "a.jpg", quality=15)
    np.testing.assert_array_equal(image(clean, "jpeg", quality=15), np.asarray(Image.open(tmp_path / "a.jpg")))


def test_depth_holes_lose_exactly_their_rate(example):
    clean = np.full((40, 50), 1000, np.uint16)
    holed = depth(clean, "depth_holes", rate=0.3)
    assert (holed == 0).sum() == 600
    assert (holed[holed > 0] == 1000).all()
    edges = np.abs(np.diff((holed == 0).astype(int), axis=1)).sum()
    assert edges < 0.5 * 2 * 0.3 * 0.7 * 2000, "holes should be blots, not dust"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("name", [n for n, c in CORRUPTIONS.items() if "depth" in c.kinds])
def test_holes_stay_and_blur_does_not_see_them(dtype, name):
    flat = np.full((30, 30), 100, dtype)
    flat[10:20, 5:12] = 0
    result = depth(flat, name, 3)
    assert result.dtype == dtype
    assert (result[10:20, 5:12] == 0).all()
    if "blur" in name or name == "low_resolution":
        np.testing.assert_allclose(result, flat, rtol=1e-12)


def test_holes_written_as_nan_stay_nan_and_new_ones_are_nan():
    flat = np.full((30, 30), 2.5, np.float32)
    flat[3:6, 3:6] = np.nan
    assert np.isnan(depth(flat, "dead_sensor")).all()
    holed = depth(flat, "depth_holes", rate=0.5)
    assert np.isnan(holed[3:6, 3:6]).all()
    assert set(np.unique(holed[~np.isnan(holed)])) == {2.5}
    all_holes = np.zeros((4, 4), np.uint16)
    assert (depth(all_holes, "gaussian_noise", 5) == 0).all()


def test_depth_noise_is_in_parts_of_the_largest_reading():
    metres = np.full((100, 100), 2.0, np.float64)
    metres[0, 0] = 4.0
    noise = depth(metres, "gaussian_noise", sigma=0.1) - metres
    assert noise.std() == pytest.approx(0.4, rel=0.05)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pil_gives_pil_with_the_pixels_of_the_array(example, mode):
    picture = Image.fromarray(example("image")).convert(mode)
    before = picture.tobytes()
    result = image(picture, "gaussian_noise", 3)
    assert isinstance(result, Image.Image)
    assert result.mode == mode
    np.testing.assert_array_equal(np.asarray(result), image(np.asarray(picture), "gaussian_noise", 3))
    assert picture.tobytes() == before


@pytest.mark.parametrize(("dtype", "mode"), [(np.uint8, "L"), (np.uint16, "I;16"), (np.float32, "F")])
def test_pil_depth(example, dtype, mode):
    picture = Image.fromarray((example("depth") // 20).astype(dtype))
    result = depth(picture, "occlusion", 3)
    assert result.mode == picture.mode == mode
    np.testing.assert_array_equal(np.asarray(result), depth(np.asarray(picture), "occlusion", 3))


pictures = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


@settings(max_examples=40, deadline=None)
@given(pictures, st.sampled_from([n for n, c in CORRUPTIONS.items() if "image" in c.kinds]), st.integers(1, 5))
def test_any_image_of_any_size(picture, name, severity):
    before = picture.copy()
    result = image(picture, name, severity)
    assert (result.shape, result.dtype) == (picture.shape, np.uint8)
    np.testing.assert_array_equal(picture, before)


depths = arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 9, width=32))


@settings(max_examples=40, deadline=None)
@given(depths, st.sampled_from([n for n, c in CORRUPTIONS.items() if "depth" in c.kinds]), st.integers(1, 5))
def test_any_depth_keeps_holes_and_stays_readable(picture, name, severity):
    result = depth(picture, name, severity)
    assert np.isfinite(result).all()
    assert (result >= 0).all()
    assert (result[picture == 0] == 0).all()
