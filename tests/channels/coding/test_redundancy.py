"""Redundancy versions and the circular buffer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.coding.redundancy import circular_buffer, redundancy_version
from channels.errors import ChannelError


def test_redundancy_versions_start_where_the_standard_says() -> None:
    # Full blocks have no filler: 3GPP TS 38.212, table 5.4.2.1-2, with N_cb = N.
    assert circular_buffer(3200).starts == (0, 13 * 320, 25 * 320, 43 * 320)
    assert circular_buffer(3200).num_bits == 50 * 320
    assert circular_buffer(8448).starts == (0, 17 * 384, 33 * 384, 56 * 384)
    assert circular_buffer(8448).num_bits == 66 * 384


@given(st.integers(24, 8448))
def test_starts_rise_within_the_buffer(block_bits: int) -> None:
    buffer = circular_buffer(block_bits)
    assert 0 == buffer.starts[0] < buffer.starts[1] < buffer.starts[2] < buffer.starts[3]
    assert buffer.starts[3] < buffer.num_bits == block_bits * (5 if block_bits <= 3824 else 3)


def test_fillers_are_skipped() -> None:
    # 500 information bits in 8 columns of 64: 12 + 2 * 64 fillers stand before the parity, which
    # begins at place 640 - 128 = 512 of the buffer, bit 372 of those sent.
    z, filler, systematic = 64, 140, 500 - 128
    first_parity = systematic
    for rv, start in enumerate(circular_buffer(500).starts[1:], start=1):
        place = (13, 25, 43)[rv - 1] * (2500 + filler) // (50 * z) * z
        assert start == place - filler if place >= systematic + filler else start <= first_parity


def test_the_order_of_versions() -> None:
    assert [redundancy_version("incremental", a) for a in range(1, 7)] == [0, 2, 3, 1, 0, 2]
    assert [redundancy_version("chase", a) for a in range(1, 4)] == [0, 0, 0]
    with pytest.raises(ChannelError, match="expected one of chase, incremental"):
        redundancy_version("turbo", 1)
    with pytest.raises(ChannelError, match="attempt is 0"):
        redundancy_version("chase", 0)
