"""Hybrid ARQ, bit by bit: redundancy versions, soft buffers, repeated transmissions.

A block that fails its CRC is sent again and the receiver adds the LLRs of all transmissions in a
soft buffer. With *chase combining* each transmission is the same; with *incremental redundancy*
each starts elsewhere in the circular buffer of 3GPP TS 38.212, 5.4.2.1, so that new parity bits
arrive first. Where this leaves the standard:

* The circular buffer is limited (N_cb of 38.212) to rate 1/5 (base graph 2) or 1/3 (base
  graph 1), the lowest that the decoder of `channels.coding.ldpc` takes.
* Blocks of up to 3824 bits use base graph 2 whatever their first code rate, since a base graph
  of its own for rates above 0.67 could not be continued below 1/3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from channels.coding.crc import check_crc, crc_bits
from channels.coding.ldpc import LdpcDecoder
from channels.coding.ldpc_encode import ldpc_encoder
from channels.coding.ldpc_tables import select_lifting
from channels.coding.segmentation import BLOCK_CRC_BITS, plan_blocks
from channels.coding.transport_block import _interleaver, _scrambling
from channels.errors import ChannelError
from channels.types import Mcs

HARQ_KINDS = ("chase", "incremental")
# Order in which incremental redundancy sends its versions: 0 and 3 hold most systematic bits,
# 2 is the farthest from 0.
RV_ORDER = (0, 2, 3, 1)
# Table 5.4.2.1-2 of 38.212: start of each version, over 66 (base graph 1) or 50 (base graph 2).
_STARTS = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}
_PERIOD = {1: 66, 2: 50}
_MAX_BASE_GRAPH_2_BITS = 3824
_MAX_BASE_GRAPH_2_RATE = 0.67
_SMALL_BLOCK_BITS = 292  # up to here base graph 2 at any rate


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
class Feedback:
    """How the sender learns what arrived.

    Attributes:
        delay_s: From the end of a transmission to its ACK or NACK; an untimed link ignores it.
        nack_to_ack: Probability that a NACK is read as an ACK: the block is given up.
        ack_to_nack: Probability that an ACK is read as a NACK: the block is sent needlessly.
    """

    delay_s: float = 0.0
    nack_to_ack: float = 0.0
    ack_to_nack: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.delay_s < float("inf"):
            raise ChannelError(f"feedback delay_s is {self.delay_s}; expected seconds, 0 or more")
        for name in ("nack_to_ack", "ack_to_nack"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ChannelError(f"{name} is {getattr(self, name)}; expected a probability")


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
    base_graph = 2 if block_bits <= _MAX_BASE_GRAPH_2_BITS else 1
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


@lru_cache(maxsize=64)
def harq_code(k: int, mcs: Mcs, kind: str) -> HarqCode:
    """The cached code for payloads of k bits."""
    return HarqCode(k, mcs, kind)


class HarqCode:
    """Coder of payloads of one length that may be sent several times.

    CRC, segmentation, interleaving, scrambling and channel uses of each transmission are those of
    `channels.coding.transport_block.TransportBlockCode`.

    Args:
        k: Payload bits.
        mcs: Modulation and coding of each transmission.
        kind: "chase" or "incremental".

    >>> code = harq_code(100, Mcs(num_bits_per_symbol=2, coderate=0.5), "incremental")
    >>> soft = code.empty_buffer(1)
    >>> sent = torch.as_tensor(code.encode(np.ones((1, 100), np.uint8), attempt=2))
    >>> code.combine(soft, sent * 20.0 - 10.0, attempt=2)
    >>> bits_hat, ok = code.decode(soft, attempt=2)
    >>> sent.shape, bool(ok[0]), int(bits_hat.sum())  # version 2 decodes without version 0
    (torch.Size([1, 232]), True, 100)
    """

    def __init__(self, k: int, mcs: Mcs, kind: str) -> None:
        redundancy_version(kind, 1)
        self.k, self.mcs, self.kind, self.plan = k, mcs, kind, plan_blocks(k, mcs)
        order, num_blocks = mcs.num_bits_per_symbol, self.plan.num_blocks
        short, num_long = divmod(self.plan.symbols_once, num_blocks)
        self._lengths = [order * (short + (r >= num_blocks - num_long)) for r in range(num_blocks)]
        self._buffer = circular_buffer(self.plan.block_bits)
        self._scrambling = _scrambling(self.plan.symbols_once * order)
        self._sign = torch.as_tensor(1.0 - 2.0 * self._scrambling, dtype=torch.float32)
        self._positions = {
            rv: self._find_positions(rv)
            for rv in {redundancy_version(kind, a) for a in range(1, len(RV_ORDER) + 1)}
        }

    @property
    def num_symbols(self) -> int:
        """Channel uses of one transmission."""
        return self.plan.num_symbols

    @property
    def num_soft_bits(self) -> int:
        """LLRs that the receiver keeps for one payload."""
        return self.plan.num_blocks * self._buffer.num_bits

    def encode(self, bits: np.ndarray, attempt: int = 1) -> np.ndarray:
        """Payloads uint8 [b, k] to the scrambled coded bits uint8 [b, n] of a transmission."""
        if bits.ndim != 2 or bits.shape[1] != self.k:
            raise ChannelError(f"bits are {bits.shape}; expected [b, {self.k}]")
        plan = self.plan
        info = np.pad(np.ascontiguousarray(bits, np.uint8), ((0, 0), (0, plan.num_padding)))
        info = np.hstack([info, crc_bits(info, self._crc_name)])
        blocks = info.reshape(len(bits) * plan.num_blocks, -1)
        if plan.num_blocks > 1:
            blocks = np.hstack([blocks, crc_bits(blocks, "CRC24B")])
        coded = ldpc_encoder(plan.block_bits, self._buffer.num_bits)(blocks)
        sent = coded.reshape(len(bits), -1)[:, self._positions[self._rv(attempt)]]
        return np.tile(sent ^ self._scrambling, self.mcs.repetition)

    def empty_buffer(self, batch: int) -> torch.Tensor:
        """Soft buffer float32 [batch, num_soft_bits] of payloads not heard yet."""
        return torch.zeros(batch, self.num_soft_bits)

    def combine(self, soft: torch.Tensor, llr: torch.Tensor, attempt: int) -> None:
        """Adds what a transmission says to the soft buffer, in place.

        Args:
            soft: float32 [b, num_soft_bits].
            llr: ln P(1)/P(0) of the bits of the transmission, float32 [b, n].
            attempt: Which transmission it is, 1 for the first.
        """
        num_bits = self.num_symbols * self.mcs.num_bits_per_symbol
        if llr.shape != (len(soft), num_bits):
            raise ChannelError(f"llr are {tuple(llr.shape)}; expected [{len(soft)}, {num_bits}]")
        once = llr.reshape(len(llr), self.mcs.repetition, -1).sum(1) * self._sign
        soft.index_add_(1, torch.as_tensor(self._positions[self._rv(attempt)]), once)

    def decode(self, soft: torch.Tensor, attempt: int) -> tuple[np.ndarray, np.ndarray]:
        """Decodes soft buffers and checks every CRC.

        Args:
            soft: float32 [b, num_soft_bits].
            attempt: How many transmissions may have filled it.

        Returns:
            The payloads uint8 [b, k], and bool [b]: True where every CRC passed.
        """
        plan, heard = self.plan, self._span(attempt)
        blocks = soft.reshape(-1, self._buffer.num_bits)[:, :heard]
        info = _decoder(plan.block_bits, heard)(blocks)
        ok = soft.any(1).numpy()  # the zero word is a codeword: silence must not decode to it
        if plan.num_blocks > 1:
            ok = ok & check_crc(info, "CRC24B").reshape(len(soft), -1).all(1)
            info = info[:, :-BLOCK_CRC_BITS]
        info = info.reshape(len(soft), -1)
        return np.ascontiguousarray(info[:, : self.k]), ok & check_crc(info, self._crc_name)

    @property
    def _crc_name(self) -> str:
        return "CRC16" if self.plan.crc_bits == 16 else "CRC24A"

    def _rv(self, attempt: int) -> int:
        return redundancy_version(self.kind, attempt)

    def _find_positions(self, rv: int) -> np.ndarray:
        """Places in the soft buffer of the bits of one transmission, in the order sent."""
        order = self.mcs.num_bits_per_symbol
        places = [
            r * self._buffer.num_bits
            + self._buffer.positions(rv, length)[_interleaver(length, order)]
            for r, length in enumerate(self._lengths)
        ]
        return np.concatenate(places)

    def _span(self, attempt: int) -> int:
        """Bits of the buffer up to the last that was sent: the decoder need not see the rest."""
        longest = max(self._lengths)
        ends = [
            self._buffer.starts[self._rv(a)] + longest
            for a in range(1, min(attempt, len(RV_ORDER)) + 1)
        ]
        if _SMALL_BLOCK_BITS < self.plan.block_bits <= _MAX_BASE_GRAPH_2_BITS:
            # Above this rate the decoder would take base graph 1.
            ends.append(int(self.plan.block_bits / _MAX_BASE_GRAPH_2_RATE) + 1)
        return min(max(ends), self._buffer.num_bits)


@lru_cache(maxsize=64)
def _decoder(k: int, n: int) -> LdpcDecoder:
    return LdpcDecoder(k, n, num_threads=1)
