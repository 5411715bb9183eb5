"""Every kind of picture that Pillow opens is read right or refused, as the page's table says."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from scmc_comm.errors import ScmcError
from scmc_comm.images import from_picture, load_image, to_uint8

SIDE = 40
GREY = np.linspace(0, 255, SIDE * SIDE).reshape(SIDE, SIDE).round().astype(np.uint8)
COLOUR = np.stack([GREY, GREY.T, 255 - GREY], -1)
DEEP = np.linspace(0, 65535, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE)
REFUSED, PAGE = "refused", Path(__file__).parents[2] / "docs" / "datasets.md"


def tiff(path, samples, bits, photometric):
    """An uncompressed grey TIFF, of kinds that Pillow reads but does not write."""
    data = np.asarray(samples)
    if bits == 12:
        pairs = data.astype(np.uint32).reshape(-1, 2)
        joined = pairs[:, 0] << 12 | pairs[:, 1]
        raw = (
            np.stack([joined >> 16, joined >> 8 & 255, joined & 255], -1).astype(np.uint8).tobytes()
        )
    else:
        raw = data.tobytes()
    tags = {
        256: SIDE, 257: SIDE, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: SIDE,
        279: len(raw),
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(raw)) + raw + directory)


def saved(picture, **options):
    return lambda path: picture.save(path, **options)


def swapped_profile():
    """sRGB with red for green and green for red."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    names = srgb.replace(b"rXYZ", b"?XYZ").replace(b"gXYZ", b"rXYZ").replace(b"?XYZ", b"gXYZ")
    assert names != srgb
    return names


def repeated(grey):
    return np.repeat(np.asarray(grey)[..., None], 3, 2)


def keyed():
    return np.where(repeated(GREY == 100), 255, repeated(GREY))


RGBA = np.dstack([COLOUR, np.full_like(GREY, 255)])
RGBA[:20, :, 3] = 0
OVER_WHITE = np.where(RGBA[..., 3:] == 0, 255, COLOUR)
DEEP_KEY = int(DEEP[5, 5])
BITS12 = (DEEP >> 4).astype(np.uint16)
KINDS = {
    "8-bit colour": ("png", saved(Image.fromarray(COLOUR)), COLOUR, "as it is"),
    "8-bit grey": ("png", saved(Image.fromarray(GREY)), repeated(GREY), "to RGB"),
    "black and white": (
        "png", saved(Image.fromarray(GREY > 127)), repeated((GREY > 127) * 255), "to RGB"
    ),
    "grey with a transparent value": (
        "png", saved(Image.fromarray(GREY), transparency=100), keyed(), "over white"
    ),
    "grey, white is zero": (
        "tif", lambda path: tiff(path, GREY, 8, 0), repeated(255 - GREY), "to RGB"
    ),
    "grey, 12 bits": ("tif", lambda path: tiff(path, BITS12, 12, 1), BITS12 / 4095, "scaled"),
    "grey, 16 bits": ("png", saved(Image.fromarray(DEEP)), DEEP / 65535, "scaled"),
    "grey, 16 bits, white is zero": (
        "tif", lambda path: tiff(path, DEEP, 16, 0), 1 - DEEP / 65535, "scaled"
    ),
    "grey, 16 bits, a transparent value": (
        "png", saved(Image.fromarray(DEEP), transparency=DEEP_KEY),
        np.where(DEEP == DEEP_KEY, 1.0, DEEP / 65535), "scaled, over white",
    ),
    "grey, 32 bits": (
        "tif", lambda path: tiff(path, DEEP.astype(np.uint32), 32, 1), REFUSED, "refused"
    ),
    "floating point": (
        "tif", saved(Image.fromarray((GREY / 255).astype(np.float32))), REFUSED, "refused"
    ),
    "palette": (
        "png", saved(Image.fromarray(GREY // 64 * 64).quantize(4)), repeated(GREY // 64 * 64),
        "to RGB",
    ),
    "colour with alpha": ("png", saved(Image.fromarray(RGBA)), OVER_WHITE, "over white"),
    "CMYK": (
        "tif", saved(Image.fromarray(COLOUR).convert("CMYK")), COLOUR, "to RGB"
    ),
    "YCbCr": ("tif", saved(Image.fromarray(COLOUR).convert("YCbCr")), COLOUR, "to RGB"),
    "LAB": (
        "tif", saved(Image.merge("LAB", [Image.new("L", (SIDE, SIDE), v) for v in (138, 209, 198)])),
        np.broadcast_to(np.array([255, 0, 0]), (SIDE, SIDE, 3)), "to RGB",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_right_or_refused(tmp_path, kind, caplog):
    suffix, write, right, what = KINDS[kind]
    write(tmp_path / f"x.{suffix}")
    if right is REFUSED:
        with pytest.raises(ScmcError, match="convert it to 8 or 16 bits"):
            load_image(tmp_path / f"x.{suffix}")
        return
    found = load_image(tmp_path / f"x.{suffix}").permute(1, 2, 0).numpy()
    expected = np.asarray(right, float)
    expected = expected if expected.max() <= 1 else expected / 255
    expected = expected if expected.ndim == 3 else repeated(expected)
    np.testing.assert_allclose(found, expected, atol=6 / 255 if kind in ("LAB", "YCbCr") else 1e-6)
    assert bool(caplog.text) == (what != "as it is")


def test_the_page_has_the_table():
    rows = [f"| {kind} | {what} |" for kind, (*_, what) in KINDS.items()]
    assert "\n".join(["| picture | read |", "|---|---|", *rows]) in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_profile_is_converted_to_srgb_with_a_notice(tmp_path, mode, caplog):
    picture = Image.new("RGB", (SIDE, SIDE), (60, 180, 75))
    picture = picture.quantize(1) if mode == "P" else picture.convert(mode)
    picture.save(tmp_path / "x.png", icc_profile=swapped_profile())
    got = to_uint8(load_image(tmp_path / "x.png"))[0, 0].astype(int)
    assert np.abs(got - (180, 60, 75)).max() <= 1
    assert "x.png: converted from its colour profile (" in caplog.text


def test_a_profile_of_srgb_moves_no_sample(caplog):
    picture = Image.fromarray(COLOUR)
    picture.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(to_uint8(from_picture(picture, "x")), COLOUR)
    assert not caplog.text


@pytest.mark.parametrize("profile", [b"", b"no profile", b"\0" * 200])
def test_a_damaged_profile_is_said(caplog, profile):
    picture = Image.fromarray(COLOUR)
    picture.info["icc_profile"] = profile
    np.testing.assert_array_equal(to_uint8(from_picture(picture, "x")), COLOUR)
    assert bool(profile) == ("its colour profile cannot be used" in caplog.text)


def test_heic_has_a_hint_whatever_its_name(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(ScmcError, match="it is HEIC, which Pillow cannot read: export it as JPEG"):
        load_image(tmp_path / "x.jpg")
