"""Redundancy versions and the circular buffer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.coding.ldpc_tables import select_lifting
from channels.coding.redundancy import circular_buffer, redundancy_version
from channels.errors import ChannelError

STARTS = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}
"""3GPP TS 38.212, table 5.4.2.1-2."""


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
    assert buffer.starts[3] < buffer.num_bits == block_bits * (5 if block_bits <= 3840 else 3)


def test_fillers_are_skipped() -> None:
    """38.212, 5.4.2.1, bit by bit: a start is the first sent bit at or behind its place."""
    for block_bits in (*range(24, 700), *range(700, 8449, 61)):
        base_graph, columns, period = (2, 10, 50) if block_bits <= 3840 else (1, 22, 66)
        z, _ = select_lifting(block_bits, base_graph)
        buffer, filler = circular_buffer(block_bits), columns * z - block_bits
        is_filler = np.zeros(buffer.num_bits + filler, bool)
        is_filler[block_bits - 2 * z : columns * z - 2 * z] = True
        for start, share in zip(buffer.starts, STARTS[base_graph], strict=True):
            place = share * len(is_filler) // (period * z) * z
            assert start == np.count_nonzero(~is_filler[:place]), block_bits


def test_the_order_of_versions() -> None:
    assert [redundancy_version("incremental", a) for a in range(1, 7)] == [0, 2, 3, 1, 0, 2]
    assert [redundancy_version("chase", a) for a in range(1, 4)] == [0, 0, 0]
    with pytest.raises(ChannelError, match="expected one of chase, incremental"):
        redundancy_version("turbo", 1)
    with pytest.raises(ChannelError, match="attempt is 0"):
        redundancy_version("chase", 0)
