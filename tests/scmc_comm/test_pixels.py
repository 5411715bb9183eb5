"""Sizes that a few bytes declare: refused before anything is allocated for them."""

import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from scmc_comm.baselines.image_codecs import make_image_codec
from scmc_comm.bitstream import LayeredBitstream
from scmc_comm.codec.edge_coder import decode_edges
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.codec.structure import StructureCodec
from scmc_comm.codec.vvc import decode_slim
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_image
from scmc_comm.pixels import FREE_PIXELS, MAX_PIXELS, PIXELS_PER_BYTE, check_pixels, pixel_limit
from scmc_comm.types import Layer, LayerKind

HUGE = (8192, 8192)


def container(size, kind=LayerKind.SIGNAL, payload=b"\x85\x01"):
    with pixel_limit(1 << 32):
        return LayeredBitstream(size, (Layer(kind, kind_name(kind), payload),)).to_bytes()


def kind_name(kind):
    return {0: "caption", 1: "edges", 2: "residual"}[kind]


def refused_without_memory(call):
    tracemalloc.start()
    try:
        with pytest.raises(ScmcError, match="pixels, about .* GB to decode; the limit is"):
            call()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [HUGE, (1023, 65535), (65535, 1023), (4000, 4000)])
@pytest.mark.parametrize("kind", LayerKind)
def test_a_container_of_a_few_bytes_cannot_declare_a_huge_picture(size, kind):
    data = container(size, kind)
    assert len(data) < 22
    refused_without_memory(lambda: LayeredBitstream.from_bytes(data))


def test_every_decoder_asks_before_it_allocates():
    codec = LayeredCodec()
    signal = Layer(LayerKind.SIGNAL, "residual", b"\x85\x01")
    structure = Layer(LayerKind.STRUCTURE, "edges", bytes(40))
    for call in (
        lambda: codec.decode([signal, structure], HUGE),
        lambda: codec.decode([], HUGE, caption="a rose"),
        lambda: StructureCodec(torch.nn.Identity(), torch.nn.Identity()).colour_map(b"\0ab", HUGE),
        lambda: decode_edges(b"\0ab", HUGE),
        lambda: decode_slim(bytes(9), HUGE),
        lambda: make_image_codec("jpeg").decode(bytes(40), HUGE),
    ):
        refused_without_memory(call)


def test_the_limit_can_be_raised_and_lowered():
    data = container((1200, 1200), LayerKind.SEMANTIC)
    with pytest.raises(ScmcError, match="of 10 bytes states"):
        LayeredBitstream.from_bytes(data)
    with pixel_limit(1200 * 1200):
        assert LayeredBitstream.from_bytes(data).size == (1200, 1200)
    with pixel_limit(1200 * 1200 - 1), pytest.raises(ScmcError, match="limit is 1439999"):
        LayeredBitstream.from_bytes(data)
    with pytest.raises(ScmcError, match="max_pixels is 0"), pixel_limit(0):
        pass


def test_what_bytes_may_declare_grows_with_them():
    side = int((100 * PIXELS_PER_BYTE) ** 0.5)
    check_pixels((side, side), num_bytes=100)
    with pytest.raises(ScmcError, match="of 99 bytes"):
        check_pixels((side, side), num_bytes=99)
    check_pixels((1024, FREE_PIXELS // 1024), num_bytes=1)
    with pytest.raises(ScmcError, match=f"limit is {MAX_PIXELS}"):
        check_pixels((1, MAX_PIXELS + 1), num_bytes=1 << 30)


def test_a_picture_file_is_asked_before_its_pixels_are_read(tmp_path):
    path = tmp_path / "wide.png"
    Image.fromarray(np.zeros((64, 90), np.uint8)).save(path)
    with pixel_limit(64 * 89), pytest.raises(ScmcError, match="wide.png states 64 x 90"):
        load_image(path)
    assert load_image(path).shape == (3, 64, 90)
