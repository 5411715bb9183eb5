"""How a payload becomes code blocks, and how many channel uses that takes.

Segmentation of 3GPP TS 38.212 (5.2.2, 5.4.2.1, 7.2.1) for payloads of any length. Nothing here
builds a matrix, so a search over payloads and coding schemes is cheap. It leaves the standard in
three points:

* coderate is that of the LDPC code, so CRC bits are coded at it as well.
* Base graph 1 repeats bits below rate 1/3 exactly, where 38.212 has a few parity bits more for
  lengths between two lifting sizes.
* The first 192 bits of a block are coded at rate 0.9 at most: base graph 2 with more of its core
  parity punctured loses some short lengths even without noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from channels.coding.ldpc_tables import select_base_graph
from channels.errors import ChannelError
from channels.types import Mcs

BLOCK_CRC_BITS = 24
MAX_BLOCK_BITS = {1: 8448, 2: 3840}  # by base graph
_SMALL_BLOCK_BITS, _SMALL_BLOCK_RATE = 192, 0.9


@dataclass(frozen=True)
class BlockPlan:
    """How a payload becomes code blocks; costs nothing to make.

    Attributes:
        k: Payload bits.
        num_padding: Zero bits appended so that all code blocks have one length.
        crc_bits: Length of the transport block's CRC (38.212, 7.2.1).
        num_blocks: Code blocks.
        block_bits: Information bits of each, with all CRC bits.
        base_graph: Of all blocks, 1 or 2 (38.212, 7.2.2).
        symbols_once: Channel uses of one repetition.
        num_symbols: Channel uses of all repetitions.
    """

    k: int
    num_padding: int
    crc_bits: int
    num_blocks: int
    block_bits: int
    base_graph: int
    symbols_once: int
    num_symbols: int


@lru_cache(maxsize=65536)
def plan_blocks(k: int, mcs: Mcs) -> BlockPlan:
    """Segments a payload of k bits (38.212, 5.2.2 and 5.4.2.1)."""
    if k < 1:
        raise ChannelError(f"payload has {k} bits; expected at least 1")
    crc_bits = 16 if k <= 3824 else 24
    base_graph = select_base_graph(k, mcs.coderate)
    max_block_bits = MAX_BLOCK_BITS[base_graph]
    num_blocks, block_crc_bits = 1, 0
    if k + crc_bits > max_block_bits:
        block_crc_bits = BLOCK_CRC_BITS
        num_blocks = -(-(k + crc_bits) // (max_block_bits - block_crc_bits))
    num_padding = -(k + crc_bits) % num_blocks
    block_bits = (k + crc_bits + num_padding) // num_blocks + block_crc_bits
    # The slack keeps rates such as 1/3 from adding a symbol by rounding.
    coded_bits = max(
        num_blocks * block_bits / mcs.coderate,
        min(block_bits, _SMALL_BLOCK_BITS) / _SMALL_BLOCK_RATE,
    )
    symbols_once = math.ceil(coded_bits / mcs.num_bits_per_symbol - 1e-6)
    return BlockPlan(
        k=k,
        num_padding=num_padding,
        crc_bits=crc_bits,
        num_blocks=num_blocks,
        block_bits=block_bits,
        base_graph=base_graph,
        symbols_once=symbols_once,
        num_symbols=symbols_once * mcs.repetition,
    )


def num_channel_uses(k: int, mcs: Mcs) -> int:
    """Complex channel uses that a payload of k bits takes, everything included.

    >>> num_channel_uses(512, Mcs(num_bits_per_symbol=2, coderate=0.5))
    528
    """
    return plan_blocks(k, mcs).num_symbols


def max_payload_bits(uses: int, mcs: Mcs) -> int:
    """Largest payload in bits that fits into `uses` channel uses; 0 if none does.

    >>> max_payload_bits(528, Mcs(num_bits_per_symbol=2, coderate=0.5))
    512
    """
    # The number of uses never falls as the payload grows, so bisection is exact.
    low, high = 0, max(1, math.ceil(uses * mcs.bits_per_use) + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if num_channel_uses(middle, mcs) <= uses else (low, middle)
    return low
