"""Reading pictures and depth maps: every mode becomes RGB, holes stay holes, what is broken is named."""

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from qmf.data.cropped import CroppedFile
from qmf.encoders.pictures import DepthReader, ImageReader
from qmf.errors import ConfigError, DataError

RED = (200, 30, 10)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_every_mode_of_a_red_picture_is_read_as_red(mode, tmp_path):
    path = tmp_path / ("red.tif" if mode == "CMYK" else "red.png")
    Image.new("RGB", (40, 20), RED).convert(mode).save(path)
    for value in (path, str(path), path.read_bytes(), Image.open(path)):
        square = ImageReader(16)(value)
        assert square.shape == (16, 16, 3)
        np.testing.assert_allclose(square[8, 8], RED, atol=20 if mode == "P" else 6)


def test_grey_of_8_and_16_bits_and_arrays():
    grey = np.full((10, 10), 100, dtype=np.uint8)
    assert ImageReader(4)(grey).tolist() == np.full((4, 4, 3), 100).tolist()
    deep = io.BytesIO()
    Image.fromarray(np.full((10, 10), 100 * 256, dtype=np.uint16)).save(deep, "PNG")
    assert abs(int(ImageReader(4)(deep.getvalue())[0, 0, 0]) - 100) <= 1


def test_transparency_is_laid_on_white_and_exif_turns_the_picture(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert ImageReader(4)(tmp_path / "clear.png").min() == 255
    picture = Image.new("RGB", (20, 10), "black")
    picture.paste("white", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: white comes to the top
    picture.save(tmp_path / "turned.jpg", exif=exif)
    square = ImageReader(8)(tmp_path / "turned.jpg")
    assert square[0].mean() > 200
    assert square[-1].mean() < 50


def test_squash_sees_the_edges_and_crop_does_not():
    picture = np.zeros((10, 30, 3), dtype=np.uint8)
    picture[:, :10] = 255
    assert ImageReader(9, "squash")(picture)[:, 0].mean() > 200
    assert ImageReader(9, "crop")(picture)[4, 4].mean() == 0


def test_part_of_a_file_and_readers_travel_between_processes(tmp_path):
    picture = np.zeros((10, 20, 3), dtype=np.uint8)
    picture[:, 10:] = 255
    Image.fromarray(picture).save(tmp_path / "both.png")
    reader = pickle.loads(pickle.dumps(ImageReader(4)))
    assert reader(CroppedFile(tmp_path / "both.png", (0.0, 0.0, 0.5, 1.0))).max() == 0
    assert reader(CroppedFile(tmp_path / "both.png", (0.5, 0.0, 1.0, 1.0))).min() == 255


def test_what_is_broken_is_named(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8)).save(whole, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[:1000])
    reasons = {
        "empty.jpg": "empty",
        "text.jpg": "of no format that Pillow knows",
        "link.jpg": "a link to a file that does not exist",
        "cut.jpg": "truncated",
        "": "a folder",
        "none.jpg": "no such file",
    }
    for name, reason in reasons.items():
        with pytest.raises(DataError, match=reason):
            ImageReader()(tmp_path / name)
    with pytest.raises(DataError, match="50 x 50 pixels, more than 100"):
        ImageReader(max_pixels=100)(whole.getvalue())
    with pytest.raises(DataError, match="a float where a picture belongs"):
        ImageReader()(1.5)
    with pytest.raises(ConfigError, match="'squash' or 'crop'"):
        ImageReader(fit="stretch")


def test_holes_stay_holes_and_do_not_darken_what_is_beside_them():
    depth = np.full((20, 20), 100, dtype=np.uint8)
    depth[:, :10] = 0
    square = DepthReader(10)(depth)
    assert square.shape == (10, 10, 3)
    assert (square[:, :5] == 0).all()
    assert (square[:, 5:] == 100).all()


def test_depth_of_16_bits_floats_and_two_channels():
    assert (DepthReader(4)(np.full((8, 8), 65535, dtype=np.uint16)) == 255).all()
    metres = np.full((8, 8), 2.5, dtype=np.float32)
    metres[0] = np.nan
    square = DepthReader(8, max_depth=5.0)(metres)
    assert (square[0] == 0).all()
    assert (square[1:] == 128).all()
    two = DepthReader(4)(np.full((8, 8, 2), 9, dtype=np.uint8))
    assert two[0, 0].tolist() == [9, 9, 0]
    with pytest.raises(DataError, match="say max_depth"):
        DepthReader()(metres)
    assert DepthReader(4)(np.zeros((8, 8), dtype=np.uint8)).max() == 0


def test_what_pillow_raises_is_told_once_and_other_errors_pass(tmp_path):
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8)).save(whole, "JPEG")
    with pytest.raises(DataError, match=r"^a picture given as bytes: 50 x 50 pixels, more than 100$"):
        ImageReader(max_pixels=100)(whole.getvalue())
    with pytest.raises(DataError, match="a PIL image: not a whole picture"):
        ImageReader()(Image.open(io.BytesIO(whole.getvalue()[:1000])))
    with pytest.raises(DataError, match="too long"):
        ImageReader()("x" * 5000)
    with pytest.raises(DataError, match="expected uint8"):
        ImageReader()(np.zeros((0, 5, 3), dtype=np.uint8))
    with pytest.raises(ConfigError, match="max_depth=-1"):
        DepthReader(max_depth=-1)

    class Wrong:
        source = whole.getvalue()

        def apply(self, picture):
            raise ConfigError("no such corruption")

    with pytest.raises(ConfigError, match=r"^no such corruption$"):
        ImageReader()(Wrong())


def test_16_bit_grey_is_not_clipped_where_a_level_is_transparent():
    deep = io.BytesIO()
    Image.fromarray(np.full((10, 10), 100 * 256, dtype=np.uint16)).save(deep, "PNG", transparency=0)
    assert (ImageReader(4)(deep.getvalue()) == 100).all()
    big_endian = Image.frombytes("I;16B", (10, 10), np.full((10, 10), 100 * 256, dtype=">u2").tobytes())
    assert (ImageReader(4)(big_endian) == 100).all()
    assert (DepthReader(4)(big_endian) == 100).all()
