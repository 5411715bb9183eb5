"""Both edge coders: what goes in comes out, in few bytes, and damage is an error or a picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scmc_comm.codec.edge_coder import (
    CELLS,
    EDGE_CODERS,
    _decode_bits,
    _encode_bits,
    decode_edges,
    encode_edges,
)
from scmc_comm.codec.edges import EdgeDetector
from scmc_comm.codec.options import CodecOptions, make_codec
from scmc_comm.codec.structure import edge_maps
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.types import Layer, LayerKind


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 20), st.integers(1, 20), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_context_coded_bits_come_back(height, width, share, seed):
    bits = (np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8)
    assert np.array_equal(_decode_bits(_encode_bits(bits), bits.shape), bits)


def test_the_models_learn_what_repeats():
    lines, empty = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    lines[::4] = 1
    noise = np.random.default_rng(0).integers(0, 2, (64, 64)).astype(np.uint8)
    sizes = [len(_encode_bits(bits)) for bits in (empty, lines, noise)]
    assert sizes[0] < 12 and sizes[1] < 80
    assert 512 <= sizes[2] < 1.15 * 512, "nothing is gained on noise, and little is lost"


@pytest.mark.parametrize("coder", EDGE_CODERS)
def test_real_edges_survive_in_few_bytes(coder):
    edges = edge_maps(EdgeDetector.load(), load_photo("coffee", 256)[None])
    data = encode_edges(edges[0], 60, coder)
    back = decode_edges(data, (128, 128))
    assert back.shape == (128, 128) and back.dtype == np.uint8
    assert len(data) < 300
    assert np.corrcoef(back.ravel(), edges[0].ravel())[0, 1] > 0.6


@pytest.mark.parametrize("cell", CELLS)
def test_sizes_that_are_no_multiple_of_a_cell(cell):
    edges = np.zeros((33, 50), np.uint8)
    edges[:, 8:16] = 255
    back = decode_edges(encode_edges(edges, 60, "context", cell), (33, 50))
    assert back.shape == (33, 50)
    assert back[:, 12].min() > 128 > back[:, 30:].max()


def test_damaged_streams_give_a_picture_or_one_line():
    for seed in range(20):
        data = b"\0" + np.random.default_rng(seed).bytes(12)
        try:
            assert decode_edges(data, (64, 64)).shape == (64, 64)
        except ScmcError as error:
            assert "damaged" in str(error)


def test_the_coder_is_an_option_and_every_receiver_reads_it():
    img = load_photo("coffee", 64)
    other, usual = make_codec(CodecOptions(edge_coder="context")), make_codec()
    layer = other.encode_structure(img)
    assert layer.payload != usual.encode_structure(img).payload
    shown = usual.decode([Layer(LayerKind.STRUCTURE, layer.codec, layer.payload)], (64, 64))
    assert shown.level is LayerKind.STRUCTURE
    with pytest.raises(ScmcError, match="edge coder is 'jbig2'; expected one of vvc, context"):
        CodecOptions(edge_coder="jbig2")
    with pytest.raises(ScmcError, match="edge coder is 'jbig2'"):
        encode_edges(np.zeros((32, 32), np.uint8), 60, "jbig2")
    with pytest.raises(ScmcError, match="cell of the edge coder is 3"):
        encode_edges(np.zeros((32, 32), np.uint8), 60, "context", 3)
