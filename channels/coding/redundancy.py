"""Redundancy versions of hybrid ARQ: which coded bits each transmission of a block sends.

With *chase combining* each transmission is the same; with *incremental redundancy* each starts
elsewhere in the circular buffer of 3GPP TS 38.212, 5.4.2.1, so that new parity bits arrive first.
Where this leaves the standard:

* The circular buffer is limited (N_cb of 38.212) to rate 1/5 (base graph 2) or 1/3 (base
  graph 1), the lowest that the decoder of `channels.coding.ldpc` takes.
* Blocks of up to 3840 bits, CRC included, use base graph 2 whatever their first code rate, since
  a base graph of its own for rates above 0.67 could not be continued below 1/3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from channels.coding.ldpc_tables import select_lifting
from channels.coding.segmentation import MAX_BLOCK_BITS
from channels.errors import ChannelError

HARQ_KINDS = ("chase", "incremental")
# Order in which incremental redundancy sends its versions: 0 and 3 hold most systematic bits,
# 2 is the farthest from 0.
RV_ORDER = (0, 2, 3, 1)
# Table 5.4.2.1-2 of 38.212: start of each version, over 66 (base graph 1) or 50 (base graph 2).
_STARTS = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}
_PERIOD = {1: 66, 2: 50}


def redundancy_version(kind: str, attempt: int) -> int:
    """Redundancy version of a transmission.

    Args:
        kind: "chase" or "incremental".
        attempt: 1 for the first transmission.

    >>> [redundancy_version("incremental", attempt) for attempt in range(1, 6)]
    [0, 2, 3, 1, 0]
    """
    if kind not in HARQ_KINDS:
        raise ChannelError(f"HARQ is {kind!r}; expected one of {', '.join(HARQ_KINDS)}")
    if attempt < 1:
        raise ChannelError(f"attempt is {attempt}; expected 1 for the first transmission")
    return RV_ORDER[(attempt - 1) % len(RV_ORDER)] if kind == "incremental" else 0


@dataclass(frozen=True)
class CircularBuffer:
    """Where each redundancy version starts, in the bits that are sent of one code block.

    Attributes:
        num_bits: Coded bits in the buffer, fillers left out.
        starts: Index of the first bit of redundancy versions 0 to 3.

    >>> circular_buffer(500)
    CircularBuffer(num_bits=2500, starts=(0, 500, 1140, 2100))
    """

    num_bits: int
    starts: tuple[int, int, int, int]

    def positions(self, rv: int, count: int) -> np.ndarray:
        """Indices int64 [count] into the buffer that a transmission of `count` bits takes."""
        return (self.starts[rv] + np.arange(count)) % self.num_bits


@lru_cache(maxsize=1024)
def circular_buffer(block_bits: int) -> CircularBuffer:
    """The buffer of a code block of `block_bits` information bits, CRC bits included."""
    base_graph = 2 if block_bits <= MAX_BLOCK_BITS[2] else 1
    num_bits = block_bits * (5 if base_graph == 2 else 3)
    z, _ = select_lifting(block_bits, base_graph)
    num_filler = (10 if base_graph == 2 else 22) * z - block_bits
    num_systematic = block_bits - 2 * z  # the first 2 z bits are never sent
    starts = []
    for share in _STARTS[base_graph]:
        place = share * (num_bits + num_filler) // (_PERIOD[base_graph] * z) * z
        skipped = min(max(place - num_systematic, 0), num_filler)
        starts.append(place - skipped)
    return CircularBuffer(num_bits, (starts[0], starts[1], starts[2], starts[3]))
