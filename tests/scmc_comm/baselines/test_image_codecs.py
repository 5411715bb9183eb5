"""JPEG and VVC in detail, fitting a budget; what all codecs owe is in test_codec_contract.py."""

import gc
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scmc_comm.baselines import image_codecs, jpeg
from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.image_codecs import largest_fitting
from scmc_comm.baselines.jpeg import JpegCodec
from scmc_comm.baselines.vvc import VvcCodec
from scmc_comm.errors import ScmcError, TooFineError
from scmc_comm.images import load_photo, to_uint8
from scmc_comm.metrics import measure


@pytest.fixture(scope="module")
def photo():
    return load_photo("chelsea", 96)


def noise(height, width, seed=0):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 95), st.integers(1, 70), st.integers(1, 70), st.integers(0, 99), st.booleans()
)
def test_slim_jpeg_decodes_to_the_very_pixels_of_the_file(quality, height, width, seed, flat):
    img = torch.full((3, height, width), seed / 99) if flat else noise(height, width, seed)
    slim, file = JpegCodec(), JpegCodec(slim=False)
    data = slim.encode(img, quality)
    want = file.decode(file.encode(img, quality), (height, width))
    assert torch.equal(slim.decode(data, (height, width)), want)
    assert len(data) <= len(file.encode(img, quality)) - 200


@pytest.mark.parametrize("quality", [5, 50, 95])
def test_slim_jpeg_takes_the_shorter_tables(photo, quality):
    data = JpegCodec().encode(photo, quality)
    pixels = to_uint8(photo)
    files = [jpeg.encode_file(pixels, quality, optimize=o) for o in (False, True)]
    sizes = [
        2 + len(jpeg._scan(file)) + o * sum(len(t) for _, t in jpeg._tables(file))
        for o, file in enumerate(files)
    ]
    assert len(data) == min(sizes)


def test_colour_survives():
    img = torch.tensor([0.9, 0.2, 0.1])[:, None, None].expand(3, 33, 47).contiguous()
    codec = JpegCodec()
    assert (codec.decode(codec.encode(img, 90), (33, 47)) - img).abs().max() < 0.02


@pytest.mark.parametrize("quality", range(1, 96, 7))
def test_whole_qualities_are_libjpegs_own(photo, quality):
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(photo)).save(buffer, "JPEG", quality=quality, optimize=True)
    assert JpegCodec(slim=False).encode(photo, quality) == buffer.getvalue()


def test_eighths_of_a_quality_fill_a_budget(photo):
    codec = JpegCodec()
    sizes = [len(codec.encode(photo, q)) for q in codec.qualities if 8 <= q <= 16]
    whole = sizes[::8]
    assert np.diff(sizes).max() < np.diff(whole).mean() / 2


# --- hostile bytes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"\x05", b"\x00\x07abc", b"\x7fabc", b"\x80\x85", b"\x80\x85" + b"\xff" * 99],
)
def test_damaged_slim_heads(data):
    with pytest.raises(ScmcError):
        JpegCodec().decode(data, (64, 64))


def test_a_smuggled_frame_header_is_refused(photo):
    data = JpegCodec().encode(photo, 30)
    sof = b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    with pytest.raises(ScmcError, match="marker"):
        JpegCodec().decode(data[:-20] + sof + data[-20:], (96, 96))


def test_another_size_is_refused(photo):
    codec = JpegCodec(slim=False)
    with pytest.raises(ScmcError, match="expected RGB"):
        codec.decode(codec.encode(photo, 30), (96, 64))


@settings(max_examples=60, deadline=None)
@given(st.booleans(), st.data())
def test_fuzzed_bytes_give_an_image_or_an_scmc_error(slim, data):
    codec = JpegCodec(slim)
    raw = bytearray(codec.encode(noise(40, 40, 3), 20))
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        img = codec.decode(bytes(raw), (40, 40))
    except ScmcError as error:
        assert "\n" not in str(error)
    else:
        assert img.shape == (3, 40, 40)


# --- fitting --------------------------------------------------------------------------------


class Counting(ImageCodec):
    """Size = 10 * quality; counts its encodes."""

    name = "counting"
    qualities = tuple(range(1, 101))

    def __init__(self):
        self.calls = []

    def encode(self, img, quality):
        self.calls.append(quality)
        return bytes(10 * quality)

    def decode(self, data, size):
        return torch.zeros(3, *size)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1200))
def test_largest_fitting_is_exact_when_sizes_grow(max_bytes):
    codec = Counting()
    fit = largest_fitting(codec, torch.zeros(3, 32, 32), max_bytes)
    best = min(max_bytes // 10, 100)
    if best == 0:
        assert fit is None
    else:
        assert fit.quality == best and len(fit.data) == 10 * best
    assert len(codec.calls) <= 7


class Exponential(Counting):
    """Sizes that double every twelve qualities, as VVC's do, with a ripple that keeps them rising."""

    qualities = tuple(range(128))

    def encode(self, img, quality):
        self.calls.append(quality)
        return bytes(round(40 * 2 ** (quality / 12) * (1 + 0.02 * (quality % 2))) + quality)


@settings(max_examples=50, deadline=None)
@given(st.integers(40, 60_000))
def test_the_search_is_exact_and_short_where_sizes_grow_exponentially(max_bytes):
    codec, img = Exponential(), torch.zeros(3, 32, 32)
    sizes = [len(codec.encode(img, q)) for q in codec.qualities]
    codec.calls.clear()
    fit = largest_fitting(codec, img, max_bytes)
    assert fit.quality == max(q for q in codec.qualities if sizes[q] <= max_bytes)
    assert len(codec.calls) <= 8


def test_a_second_budget_costs_few_encodes():
    codec, img = Exponential(), torch.zeros(3, 32, 32)
    counts = []
    for max_bytes in (300, 700, 1500, 3000, 6000, 12_000):
        codec.calls.clear()
        largest_fitting(codec, img, max_bytes)
        counts.append(len(codec.calls))
    assert counts[0] <= 7 and np.mean(counts[1:]) <= 3


def test_encodes_are_remembered_per_image_and_forgotten_with_the_codec():
    codec = Counting()
    x, y = torch.zeros(3, 32, 32), torch.ones(3, 32, 32)
    largest_fitting(codec, x, 500)
    first = len(codec.calls)
    largest_fitting(codec, x.clone(), 500)
    assert len(codec.calls) == first
    largest_fitting(codec, y, 500)
    assert len(codec.calls) == 2 * first
    largest_fitting(codec, torch.zeros(3, 16, 64), 500)  # same bytes, another shape
    assert len(codec.calls) == 3 * first
    gc.collect()  # other tests' codecs
    known = len(image_codecs._encodes)
    del codec
    gc.collect()
    assert len(image_codecs._encodes) == known - 1


def test_jpeg_fits_the_budget_and_wastes_little(photo):
    codec = JpegCodec()
    fit = largest_fitting(codec, photo, 1000)
    assert 990 <= len(fit.data) <= 1000 < len(codec.encode(photo, fit.quality + 2))
    assert largest_fitting(codec, photo, 50) is None


# --- VVC ------------------------------------------------------------------------------------


def test_a_picture_that_vvc_cannot_code_so_finely_gets_the_finest_that_it_can():
    photo, codec = load_photo("coffee", 64), VvcCodec()
    with pytest.raises(TooFineError, match="take a coarser quality"):
        codec.encode(photo, 63)
    finest = largest_fitting(codec, photo, 6000)
    assert 55 < finest.quality < 60 and 3500 < len(finest.data) <= 64 * 64
    with pytest.raises(TooFineError):
        codec.encode(photo, finest.quality + 0.5)


def test_vvc_slim_equals_file_and_quality_is_63_minus_qp():
    photo = load_photo("coffee", 64)
    slim, file = VvcCodec(), VvcCodec(slim=False)
    sizes = []
    for quality in (5, 25):
        data, whole = slim.encode(photo, quality), file.encode(photo, quality)
        assert data[0] >> 2 == 63 - quality
        assert len(data) + 60 < len(whole)
        img_hat = slim.decode(data, (64, 64))
        assert torch.equal(img_hat, file.decode(whole, (64, 64)))
        sizes.append(len(data))
    assert sizes[0] < sizes[1]
    assert measure(photo, img_hat, ["psnr_db"])["psnr_db"] > 27
    assert np.isfinite(img_hat.numpy()).all()


def test_half_a_vvc_quality_lies_between_its_neighbours():
    photo = load_photo("coffee", 96)
    codec = VvcCodec()
    below, between, above = (codec.encode(photo, q) for q in (22, 22.5, 23))
    assert len(below) < len(between) < len(above)
    assert between[0] >> 2 == above[0] >> 2 == 63 - 23  # the finer QP of the two
    psnrs = [
        measure(photo, codec.decode(data, (96, 96)), ["psnr_db"])["psnr_db"]
        for data in (below, between, above)
    ]
    assert psnrs == sorted(psnrs)
