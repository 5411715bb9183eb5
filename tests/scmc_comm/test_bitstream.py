"""The container: round trip, overhead, golden file, and hostile input."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scmc_comm.bitstream import DEFAULT_CODECS, LayeredBitstream
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import pixel_limit
from scmc_comm.ranges import MAX_SEED
from scmc_comm.types import MAX_PARTS, Layer, LayerKind
from scmc_comm.wire import Reader, encode_varint

GOLDEN = Path(__file__).parents[1] / "references" / "bitstream_v1.bin"
PAYLOADS = (bytes(range(20)), bytes(range(90)), bytes(range(256)) * 4)


def make(size=(256, 256), seed=0, payloads=PAYLOADS, codecs=DEFAULT_CODECS):
    layers = zip(LayerKind, payloads, strict=False)
    return LayeredBitstream(size, tuple(Layer(k, codecs[k], p) for k, p in layers), seed)


@st.composite
def streams(draw):
    kinds = draw(st.sets(st.sampled_from(LayerKind), min_size=1))
    names = st.one_of(st.none(), st.text("abc-12", min_size=1, max_size=12))
    layers = tuple(
        Layer(k, draw(names) or DEFAULT_CODECS[k], draw(st.binary(min_size=1, max_size=300)))
        for k in kinds
    )
    size = (draw(st.integers(32, 2000)), draw(st.integers(32, 2000)))
    return LayeredBitstream(size, layers, draw(st.integers(0, MAX_SEED)))


@given(streams())
def test_round_trip(stream):
    with pixel_limit(2000 * 2000):  # these payloads are too short for pictures of their size
        assert LayeredBitstream.from_bytes(stream.to_bytes(), strict=True) == stream


def test_overhead_is_eight_bytes_and_two_varints():
    stream = make()
    varints = sum(len(encode_varint(len(p))) for p in PAYLOADS[:2])
    assert (
        len(stream.to_bytes()) - sum(len(layer.payload) for layer in stream.layers)
        == 8 + varints
        == 10
    )


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=MAX_PARTS))
def test_parts_of_the_signal_survive(parts):
    signal = Layer.of_parts(LayerKind.SIGNAL, "residual", parts)
    stream = LayeredBitstream((256, 256), (*make().layers[:2], signal))
    back = LayeredBitstream.from_bytes(stream.to_bytes(), strict=True)
    assert back == stream and back.layers[-1].parts == tuple(parts)


@pytest.mark.parametrize("cuts", [(0,), (4,), (2, 2), (3, 1), (1, 2, 3, 3), (-1,)])
def test_cuts_must_lie_inside_and_rise(cuts):
    with pytest.raises(ScmcError, match="cuts"):
        Layer(LayerKind.SIGNAL, "residual", b"abcd", cuts)
    with pytest.raises(ScmcError, match="comes in one part"):
        Layer(LayerKind.STRUCTURE, "edges", b"abcd", (2,))


def test_layers_are_kept_in_decoding_order_and_are_unique():
    layers = make().layers
    assert LayeredBitstream((256, 256), layers[::-1]).layers == layers
    for wrong in ((), layers[:1] * 2):
        with pytest.raises(ScmcError, match="one to three"):
            LayeredBitstream((256, 256), wrong)


def test_golden_file():
    stream = make(size=(512, 768), seed=20260, payloads=(b"a red flower", b"\x00\x01", b"\xff" * 9))
    assert stream.to_bytes() == GOLDEN.read_bytes()
    assert LayeredBitstream.from_bytes(GOLDEN.read_bytes(), strict=True) == stream


@pytest.mark.parametrize("size", [(31, 256), (256, 65536), (65535, 65535), (0, 0)])
def test_sizes_are_limited(size):
    with pytest.raises(ScmcError, match="size|pixels"):
        LayeredBitstream(size, make().layers)


@pytest.mark.parametrize("damaged", list(LayerKind))
def test_a_flipped_payload_bit_costs_that_layer_only(damaged, caplog):
    stream = make()
    data = bytearray(stream.to_bytes())
    starts = (2 + 1, 2 + 1 + 20 + 2 + 1, 2 + 1 + 20 + 2 + 1 + 90 + 2)
    data[starts[damaged] + 7] ^= 0x10
    with caplog.at_level("WARNING"):
        got = LayeredBitstream.from_bytes(bytes(data))
    assert [x.kind for x in got.layers] == [k for k in LayerKind if k != damaged]
    assert set(got.layers) <= set(stream.layers)
    assert damaged.tag in caplog.text
    with pytest.raises(ScmcError, match=damaged.tag):
        LayeredBitstream.from_bytes(bytes(data), strict=True)


def test_every_single_bit_flip_is_caught():
    stream = make(size=(100, 300), seed=7, payloads=(b"abc", b"defghi", b"jklmnopqr"))
    data = stream.to_bytes()
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            got = LayeredBitstream.from_bytes(bytes(bad))
        except ScmcError:
            continue
        assert (got.size, got.seed) == (stream.size, stream.seed)
        assert set(got.layers) < set(stream.layers)


def test_every_truncation_keeps_the_whole_layers():
    stream = make()
    data = stream.to_bytes()
    ends = (2 + 1 + 20 + 2, 2 + 1 + 20 + 2 + 1 + 90 + 2)
    for length in range(len(data)):
        whole = sum(length >= end for end in ends)
        if whole == 0:
            with pytest.raises(ScmcError):
                LayeredBitstream.from_bytes(data[:length])
        else:
            assert LayeredBitstream.from_bytes(data[:length]).layers == stream.layers[:whole]


def test_a_file_that_is_something_else_says_so():
    with pytest.raises(ScmcError, match="not an SCMC bitstream"):
        LayeredBitstream.from_bytes(b"\x89PNG\r\n\x1a\n")
    data = bytearray(make().to_bytes())
    data[0] += 1
    with pytest.raises(ScmcError, match="version 2"):
        LayeredBitstream.from_bytes(bytes(data))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes_never_crash(tail):
    for head in (b"", b"\xc9", b"\xc9\x07", b"\xc9\x3f"):
        try:
            got = LayeredBitstream.from_bytes(head + tail)
        except ScmcError:
            continue
        assert sum(len(layer.payload) for layer in got.layers) < len(tail)  # a chance hit of a CRC


@given(st.integers(0, 2**63))
def test_varint_round_trip(value):
    assert Reader(encode_varint(value), "test").varint("value", 2**63) == value


def test_varint_rejects_endless_long_and_large_forms():
    for data in (b"\x80" * 20, b"\x80\x00", b"\xff\xff\x7f", b"\x80"):
        with pytest.raises(ScmcError):
            Reader(data, "test").varint("value", 1000)
