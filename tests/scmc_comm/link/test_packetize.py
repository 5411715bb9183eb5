"""Packets: round trip, header cost, and hostile input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scmc_comm.bitstream import DEFAULT_CODECS, LayeredBitstream
from scmc_comm.errors import ScmcError
from scmc_comm.link.packetize import (
    Packet,
    bits_to_bytes,
    bytes_to_bits,
    depacketize,
    packetize,
)
from scmc_comm.types import Layer, LayerKind


def make(size=(256, 256), seed=0):
    layers = tuple(Layer(k, DEFAULT_CODECS[k], bytes([k]) * (5 + k)) for k in LayerKind)
    return LayeredBitstream(size, layers, seed)


@given(
    st.sampled_from(LayerKind),
    st.integers(32, 1000),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["caption", "edges", "residual", "other-1"]),
    st.binary(min_size=1, max_size=50),
)
def test_round_trip(kind, side, seed, codec, payload):
    packet = Packet(Layer(kind, codec, payload), (side, 256), seed)
    data = packet.to_bytes()
    assert Packet.from_bytes(data) == packet
    assert len(data) == packet.num_header_bytes + len(payload)
    assert bits_to_bytes(bytes_to_bits(data)) == data


def test_parts_travel_alone_and_join_up_to_the_first_gap():
    parts = [b"first", b"second", b"third", b"fourth"]
    layer = Layer.of_parts(LayerKind.SIGNAL, "residual", parts)
    packets = packetize(LayeredBitstream((256, 256), (layer,), 0))
    assert [p.tag for p in packets] == ["signal", "signal.2", "signal.3", "signal.4"]
    data = [p.to_bytes() for p in packets]
    assert [Packet.from_bytes(d) for d in data] == list(packets)
    assert depacketize(data).layers == (layer,)
    assert depacketize([data[3], data[1], data[0]]).layers[0].parts == tuple(parts[:2])
    assert depacketize(data[1:]) is None


def test_header_is_one_byte_unless_size_or_seed_differ():
    assert [p.num_header_bytes for p in packetize(make())] == [1, 1, 1]
    assert packetize(make(size=(512, 768)))[0].num_header_bytes == 1 + 2 + 2
    assert packetize(make(seed=5))[0].num_header_bytes == 1 + 1


@pytest.mark.parametrize("subset", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)])
def test_any_subset_carries_size_and_seed(subset):
    stream = make(size=(320, 480), seed=9)
    data = [packetize(stream)[i].to_bytes() for i in subset]
    got = depacketize(data)
    assert got is not None and (got.size, got.seed) == (stream.size, stream.seed)
    assert got.layers == tuple(stream.layers[i] for i in subset)


def test_nothing_usable_is_none():
    assert depacketize([]) is None
    assert depacketize([b"", b"\x00", b"\xff\xff", b"\x47abc"]) is None


def test_contradicting_and_repeated_packets_are_dropped(caplog):
    stream, other = make(), make(size=(320, 480))
    data = [packetize(stream)[0], packetize(other)[1], packetize(stream)[0], packetize(stream)[2]]
    got = depacketize(p.to_bytes() for p in data)
    assert got is not None and got.size == (256, 256)
    assert [x.kind for x in got.layers] == [LayerKind.SEMANTIC, LayerKind.SIGNAL]
    assert caplog.text.count("contradicts") == 2


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_random_bytes_never_crash(packets):
    got = depacketize(packets)
    assert got is None or 1 <= len(got.layers) <= 3


def test_bits_are_most_significant_first():
    assert bytes_to_bits(b"\x80\x01").tolist() == [1] + [0] * 14 + [1]
    with pytest.raises(ScmcError, match="multiple of 8"):
        bits_to_bytes(np.zeros(7, np.uint8))
