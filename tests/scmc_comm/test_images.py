"""Reading and writing pictures: conversions, failures in one line."""

import os
import struct
import threading
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scmc_comm import images
from scmc_comm.datasets import image_sets
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import pixel_limit


def pixels(height=40, width=48, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def chunk(kind, data):
    """A chunk of a PNG file."""
    crc = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + crc


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(32, 40), st.integers(32, 40))
def test_png_round_trip_is_exact(tmp_path_factory, seed, height, width):
    path = tmp_path_factory.mktemp("png") / "x.png"
    want = pixels(height, width, seed=seed)
    images.save_png(images.from_uint8(want), path)
    img = images.load_image(path)
    assert img.dtype == torch.float32 and img.shape == (3, height, width) and img.is_contiguous()
    np.testing.assert_array_equal(images.to_uint8(img), want)
    assert [p.name for p in path.parent.iterdir()] == ["x.png"]


def test_to_uint8_rounds_to_nearest_and_clamps():
    img = torch.tensor([-0.1, 0.0, 0.4 / 255, 0.6 / 255, 0.5, 1.0, 1.2]).expand(3, 1, 7)
    assert images.to_uint8(img)[0, :, 0].tolist() == [0, 0, 0, 1, 128, 255, 255]


@pytest.mark.parametrize(
    "bad",
    [
        torch.zeros(3, 4, 4, dtype=torch.uint8),
        torch.zeros(4, 4),
        torch.zeros(1, 4, 4),
        torch.full((3, 4, 4), float("nan")),
    ],
)
def test_only_images_are_written(bad, tmp_path):
    with pytest.raises(ScmcError):
        images.save_png(bad, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_writing_where_one_cannot_names_the_folder(tmp_path):
    with pytest.raises(ScmcError, match="choose a folder"):
        images.save_png(torch.zeros(3, 4, 4), tmp_path / "no" / "x.png")
    (tmp_path / "old.png").mkdir()
    with pytest.raises(ScmcError, match="choose a folder"):
        images.save_png(torch.zeros(3, 4, 4), tmp_path / "old.png")
    assert [p.name for p in tmp_path.iterdir()] == ["old.png"]


# --- conversions ----------------------------------------------------------------------------


def test_grey_becomes_rgb_with_a_notice(tmp_path, caplog):
    grey = pixels(channels=1)[..., 0]
    Image.fromarray(grey).save(tmp_path / "x.png")
    got = images.to_uint8(images.load_image(tmp_path / "x.png"))
    np.testing.assert_array_equal(got, np.repeat(grey[..., None], 3, 2))
    assert "L picture converted" in caplog.text


def test_16_bit_grey_is_scaled_not_clipped(tmp_path, caplog):
    ramp = np.linspace(0, 65535, 40 * 40).astype(np.uint16).reshape(40, 40)
    Image.fromarray(ramp).save(tmp_path / "x.png")
    img = images.load_image(tmp_path / "x.png")
    np.testing.assert_allclose(img.numpy(), np.stack([ramp / 65535] * 3), atol=1e-6)
    assert "16-bit" in caplog.text


def deep_png(path, samples, colour_type):
    """A PNG of 16 bits a sample, which Pillow reads but does not write in colour."""
    height, width, _ = samples.shape
    header = (
        width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, colour_type, 0, 0, 0])
    )
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    data = [("IHDR", header), ("IDAT", zlib.compress(rows)), ("IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(k.encode(), d) for k, d in data))


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_16_bit_colour_is_cut_with_a_notice(tmp_path, caplog, colour_type, channels):
    samples = np.full((40, 48, channels), 65535, np.uint16)
    samples[..., 0] = 0x80FF
    deep_png(tmp_path / "x.png", samples, colour_type)
    img = images.load_image(tmp_path / "x.png")
    assert img.shape == (3, 40, 48) and img[0, 0, 0] == pytest.approx(0x80 / 255, abs=1e-6)
    assert "16 bits a sample cut to 8" in caplog.text


@pytest.mark.parametrize("form", ["gif", "png", "tiff", "webp"])
def test_of_several_pictures_the_first_is_taken_with_a_notice(tmp_path, caplog, form):
    first, second = (Image.new("RGB", (40, 36), colour) for colour in ("white", "black"))
    path = tmp_path / f"x.{form}"
    first.save(path, save_all=True, append_images=[second])
    assert images.load_image(path).mean() > 0.99
    assert "the first of its pictures is taken" in caplog.text


def test_8_bit_colour_is_read_without_a_notice(tmp_path, caplog):
    Image.fromarray(pixels()).save(tmp_path / "x.png")
    images.load_image(tmp_path / "x.png")
    assert not caplog.text


def test_cmyk_keeps_its_colours(tmp_path, caplog):
    Image.new("RGB", (40, 40), (200, 30, 60)).convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    got = images.to_uint8(images.load_image(tmp_path / "x.jpg"))
    assert np.abs(got.astype(int) - [200, 30, 60]).max() <= 4
    assert "CMYK picture converted" in caplog.text


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_shows_the_same_picture(tmp_path, orientation):
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = (255, 0, 0)
    upright[20:, 30:] = (0, 0, 255)
    # What a camera stores so that the viewer, undoing it, shows the upright picture.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(images.to_uint8(images.load_image(tmp_path / "x.png")), upright)


def test_transparency_is_put_over_white(tmp_path, caplog):
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[:, 20:] = (255, 0, 0, 255)
    rgba[:20, :20, 3] = 51  # black at 20 %
    Image.fromarray(rgba).save(tmp_path / "x.png")
    got = images.to_uint8(images.load_image(tmp_path / "x.png"))
    assert got[0, 39].tolist() == [255, 0, 0]
    assert got[39, 0].tolist() == [255, 255, 255]
    assert got[0, 0].tolist() == [204, 204, 204]
    assert "over white" in caplog.text


def test_palette_with_and_without_transparency(tmp_path):
    x = np.zeros((40, 40, 3), np.uint8)
    x[:, 20:] = (0, 0, 255)
    palette = Image.fromarray(x).quantize(4)
    palette.save(tmp_path / "p.png")
    np.testing.assert_array_equal(images.to_uint8(images.load_image(tmp_path / "p.png")), x)
    index = palette.getpixel((0, 0))
    palette.save(tmp_path / "t.png", transparency=index)
    got = images.to_uint8(images.load_image(tmp_path / "t.png"))
    assert got[0, 0].tolist() == [255, 255, 255] and got[0, 39].tolist() == [0, 0, 255]


def test_rgb_with_a_transparent_colour(tmp_path):
    x = np.zeros((40, 40, 3), np.uint8)
    Image.fromarray(x).save(tmp_path / "x.png", transparency=(0, 0, 0))
    assert images.load_image(tmp_path / "x.png").min() == 1


@pytest.mark.parametrize("mode", ["1", "LA", "CMYK", "YCbCr"])
def test_other_modes(tmp_path, mode):
    name = "x.jpg" if mode in ("CMYK", "YCbCr") else "x.png"
    Image.fromarray(pixels()).convert(mode).save(tmp_path / name)
    assert images.load_image(tmp_path / name).shape == (3, 40, 48)


def test_float_pictures_are_refused(tmp_path):
    Image.fromarray(np.ones((40, 40), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(ScmcError, match="unknown range"):
        images.load_image(tmp_path / "x.tif")


def test_exif_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to view
    Image.fromarray(pixels(40, 64)).save(tmp_path / "x.jpg", exif=exif)
    assert images.load_image(tmp_path / "x.jpg").shape == (3, 64, 40)


# --- failures -------------------------------------------------------------------------------


def huge_png():
    """Dimensions of a decompression bomb, and next to no data."""

    header = (60000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x")


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "empty", "png", "jpg", "bomb"])
def test_unreadable_files_give_one_line(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("no picture\n" * 10)
    elif kind == "empty":
        path.touch()
    elif kind == "bomb":
        path.write_bytes(huge_png())
    elif kind in ("png", "jpg"):
        Image.fromarray(pixels(64, 64)).save(tmp_path / f"whole.{kind}")
        data = (tmp_path / f"whole.{kind}").read_bytes()
        path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ScmcError) as caught:
        images.load_image(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_small_images_are_refused_at_31_not_at_32(tmp_path):
    images.save_png(torch.zeros(3, 32, 32), tmp_path / "ok.png")
    images.save_png(torch.zeros(3, 31, 99), tmp_path / "small.png")
    assert images.load_image(tmp_path / "ok.png").shape == (3, 32, 32)
    with pytest.raises(ScmcError, match="31x99"):
        images.load_image(tmp_path / "small.png")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damaged_files_never_escape_as_other_errors(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    kind = data.draw(st.sampled_from(["png", "jpg", "webp", "bmp", "tif"]))
    path = folder / f"x.{kind}"
    Image.fromarray(pixels()).save(path)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, min(len(raw) - 1, 400)))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        img = images.load_image(path)
    except ScmcError as error:
        assert "\n" not in str(error)
    else:
        assert img.shape[0] == 3 and bool((img >= 0).all() and (img <= 1).all())


def test_photo_wheel_not_installed(monkeypatch):
    monkeypatch.setattr(images.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ScmcError, match="pip install scikit-image"):
        images.load_photo("coffee")
    with pytest.raises(ScmcError, match="astronaut"):
        images.load_photo("lena")


def test_centre_square_keeps_the_middle():
    x = np.zeros((100, 300, 3), np.uint8)
    x[:, 100:200] = 255
    got = np.asarray(images.centre_square(Image.fromarray(x), 50))
    assert got.shape == (50, 50, 3) and got[:, 5:-5].min() > 250


def test_a_picture_comes_through_a_pipe(tmp_path):
    photo, pipe = images.load_photo("coffee", 40), tmp_path / "pipe"
    images.save_png(photo, tmp_path / "a.png")
    os.mkfifo(pipe)
    for data, said in (((tmp_path / "a.png").read_bytes(), None), (b"none", "cannot be read")):
        writer = threading.Thread(target=pipe.write_bytes, args=(data,))
        writer.start()
        if said is None:
            assert torch.equal(images.load_image(pipe), photo)
        else:
            with pytest.raises(ScmcError, match=said):
                images.load_image(pipe)
        writer.join()


def test_a_tilde_is_the_home(tmp_path, monkeypatch):
    (tmp_path / "pics").mkdir()
    images.save_png(images.load_photo("coffee", 40), tmp_path / "pics" / "a.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for source in ("~/pics", "~/pics/a.png", "~/pics@32"):
        (found,) = image_sets.image_set(source)
        assert found.name.startswith("a.png")
        assert image_sets.set_size(source) == len(image_sets.annotations_of(source)) == 1


def test_more_pixels_than_pillow_opens_is_one_line_whatever_the_limit(tmp_path):
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", b""), (b"IEND", b"")]
    data = b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks
    )
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    with pixel_limit(4_000_000_000), pytest.raises(ScmcError, match="cut it into tiles"):
        images.load_image(tmp_path / "huge.png")
