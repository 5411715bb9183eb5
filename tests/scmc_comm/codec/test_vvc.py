"""Intra VVC: slim bytes rebuild the exact stream, and damage ends in an error or a picture."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scmc_comm.codec import ffmpeg, vvc
from scmc_comm.codec.planes import gray_to_planes, planes_to_gray, planes_to_rgb, rgb_to_planes
from scmc_comm.codec.vvc_stream import VvcSettings, decode_file, encode_file, split_units
from scmc_comm.errors import ScmcError

FASTER = VvcSettings(preset="faster")


def sketch(height: int, width: int, seed: int = 0) -> np.ndarray:
    """White lines and a soft blob on black."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    rings = np.abs(np.sin(12 * np.hypot(x - 0.4 + 0.1 * seed, y - 0.5))) < 0.15
    return np.clip(200.0 * rings + 50 * x, 0, 255).astype(np.uint8)


def colour(height: int, width: int) -> np.ndarray:
    """Three shifted sketches."""
    return np.stack([sketch(height, width, seed) for seed in range(3)], 2)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """In dB, peak 255."""
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("size", [(8, 8), (33, 50), (64, 64)])
@pytest.mark.parametrize("screen_content", [True, False])
@pytest.mark.parametrize("is_color", [True, False])
def test_slim_decodes_to_what_the_file_decodes_to(size, screen_content, is_color):
    tools = VvcSettings(is_color, screen_content, "faster")
    picture = colour(*size) if is_color else sketch(*size)
    data = encode_file(picture, 36, tools)
    slim = vvc.slim_from_file(data, size, 36, tools)
    rebuilt = vvc.file_from_slim(slim, size, tools)
    np.testing.assert_array_equal(
        vvc.decode_slim(slim, size, tools),
        decode_file(data, size, tools),
    )
    assert split_units(rebuilt) == split_units(data)
    assert len(slim) <= len(data) - 60


def test_thumbnails_carry_one_byte_beside_the_slice_data():
    rng, tools = np.random.default_rng(0), VvcSettings(True, False, "faster")
    for _ in range(8):
        mean, slope = rng.integers(60, 200, 3), rng.normal(0, 2, (2, 3))
        y, x = (axis[..., None] for axis in np.mgrid[:32, :32])
        picture = np.clip(mean + slope[0] * (x - 16) + slope[1] * (y - 16), 0, 255)
        slim = vvc.encode_slim(picture.astype(np.uint8), 44, tools)
        assert slim[0] & 3 in (0, 3)


def test_parameter_sets_depend_on_neither_content_nor_qp():
    tools, found = FASTER, set()
    for qp in (0, 17, 40, 63):
        for seed in (0, 1):
            units = split_units(encode_file(sketch(48, 40, seed), qp, tools))
            found.add(tuple(u for u in units if u[1] >> 3 in vvc._PARAMETER_TYPES))
    assert len(found) == 1


def test_quality_and_size_fall_with_qp():
    picture = sketch(64, 64)
    slims = [vvc.encode_slim(picture, qp) for qp in (10, 30, 50)]
    sizes = [len(slim) for slim in slims]
    quality = [psnr(vvc.decode_slim(slim, (64, 64)), picture) for slim in slims]
    assert sizes == sorted(sizes, reverse=True)
    assert quality == sorted(quality, reverse=True)
    assert quality[0] > 45


def test_batch_equals_pictures_one_by_one():
    pictures = np.stack(
        [sketch(40, 56, seed) for seed in range(3)] + [np.zeros((40, 56), np.uint8)]
    )
    slims = vvc.encode_batch(pictures, 50)
    decoded = vvc.decode_batch(slims, (40, 56))
    for picture, seen, slim in zip(pictures, decoded, slims, strict=True):
        assert vvc.encode_slim(picture, 50) == slim
        np.testing.assert_array_equal(vvc.decode_slim(slim, (40, 56)), seen)


def test_batch_longer_than_the_picture_order_count():
    pictures = np.stack([np.full((16, 16), i % 256, np.uint8) for i in range(270)])
    slims = vvc.encode_batch(pictures, 30, FASTER)
    assert slims[:14] == slims[256:]
    assert slims[60] == vvc.encode_slim(pictures[60], 30, FASTER)
    decoded = vvc.decode_batch(slims, (16, 16), FASTER)
    assert np.abs(decoded.astype(int) - pictures).max() < 20


SIZE = (40, 40)


@pytest.fixture(scope="module")
def slim() -> bytes:
    """One slim picture to damage."""
    return vvc.encode_slim(sketch(*SIZE), 44, FASTER)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_gives_a_picture_or_an_error(slim, data):
    damaged = bytearray(slim[: data.draw(st.integers(0, len(slim)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = vvc.decode_slim(bytes(damaged), SIZE, FASTER)
    except ScmcError:
        return
    assert picture.shape == SIZE
    assert picture.dtype == np.uint8


@pytest.mark.parametrize(
    "hostile",
    [b"", b"\x00", bytes([40 << 2 | 2, 255]), bytes([40 << 2 | 2, 1, 0x83]),
     bytes([40 << 2]) + b"abc\x00\x00\x01\x00\x79" + bytes(range(1, 40))],
)  # fmt: skip
def test_hostile_bytes_are_refused_before_decoding(hostile):
    with pytest.raises(ScmcError, match="slim VVC"):
        vvc.file_from_slim(hostile, SIZE)


@pytest.mark.parametrize(
    ("picture", "qp"),
    [(np.zeros((7, 40), np.uint8), 30), (np.zeros((40, 40)), 30),
     (np.zeros((40, 40), np.uint8), 64), (np.zeros((40, 40, 4), np.uint8), 30),
     (np.zeros(40, np.uint8), 30)],
)  # fmt: skip
def test_wrong_input_is_named(picture, qp):
    with pytest.raises(ScmcError, match="VVC"):
        vvc.encode_slim(picture, qp)


def test_missing_binary_names_the_fix(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "no-ffmpeg"))
    with pytest.raises(ScmcError, match=r"pip install 'imageio-ffmpeg>=0.6'"):
        vvc.encode_slim(sketch(16, 16), 30)


def test_ffmpeg_without_vvc_names_the_fix(monkeypatch, tmp_path: Path):
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho ' V..... libx264 H.264'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    with pytest.raises(ScmcError, match="libvvenc.*pip install"):
        ffmpeg.ffmpeg_exe()


def test_hanging_decoder_is_stopped(monkeypatch):
    def hang(*args, **kwargs):
        raise subprocess.TimeoutExpired("ffmpeg", kwargs["timeout"])

    ffmpeg.ffmpeg_exe()
    monkeypatch.setattr(ffmpeg.subprocess, "run", hang)
    with pytest.raises(ScmcError, match="longer than"):
        ffmpeg.run_ffmpeg([], b"", 1.0)


def test_planes_keep_gray_exactly_and_flat_colours_within_one():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    samples = np.frombuffer(gray_to_planes(gray), "<u2")[:256]
    np.testing.assert_array_equal(planes_to_gray(samples, (16, 16)), gray)
    for rgb in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (12, 200, 99)):
        flat = np.tile(np.array(rgb, np.uint8), (4, 6, 1))
        back = planes_to_rgb(np.frombuffer(rgb_to_planes(flat), "<u2"), (4, 6))
        assert np.abs(back.astype(int) - flat).max() <= 1
