"""Packets and their transport blocks while they are on the link."""

from __future__ import annotations

import math
from collections import deque

from channels.timed.types import TrafficClass
from channels.types import Mcs


class Block:
    """A transport block: coded, acknowledged and repeated as a whole."""

    __slots__ = (
        "attempts", "esnos_db", "heard", "left_uses", "mcs", "num_bits", "packet", "received",
        "uses",
    )  # fmt: skip

    def __init__(self, packet: Packet, num_bits: int, mcs: Mcs, uses: int) -> None:
        self.packet, self.num_bits, self.mcs, self.uses = packet, num_bits, mcs, uses
        self.attempts = 0
        self.left_uses = 0.0  # of the transmission under way; above 0 only while suspended
        self.heard: list[tuple[float, float]] = []  # its parts: seconds, Es/N0 in dB
        self.esnos_db: list[float] = []  # of the transmissions that are complete
        self.received = False


class Packet:
    """A packet, from its arrival until nothing of it is left at the sender."""

    __slots__ = (
        "again", "arrival_s", "attempts", "bits", "deadline_s", "done_s", "fair_tag", "fate",
        "frame", "is_queued", "kind", "kind_index", "missing", "next_block", "num_blocks", "open",
        "sequence", "start_s", "user", "uses"
    )  # fmt: skip

    def __init__(
        self,
        sequence: int,
        user: int,
        frame: int,
        kind_index: int,
        kind: TrafficClass,
        bits: int,
        arrival_s: float,
        max_block_bits: int,
    ) -> None:
        self.sequence, self.user, self.frame = sequence, user, frame
        self.kind_index, self.kind, self.bits = kind_index, kind, bits
        self.arrival_s = arrival_s
        self.deadline_s = math.inf if kind.deadline_s is None else arrival_s + kind.deadline_s
        self.num_blocks = -(-bits // max_block_bits)
        self.next_block = 0  # the first that was never sent
        self.open = self.num_blocks  # blocks that the sender has not seen the end of
        self.missing = self.num_blocks  # blocks that the receiver does not have
        self.again: deque[Block] = deque()  # suspended or to be repeated
        self.is_queued = False
        self.fair_tag = 0.0
        self.start_s = self.done_s = math.nan
        self.attempts, self.uses = 0, 0.0
        self.fate: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there is a block to send now."""
        return bool(self.again) or self.next_block < self.num_blocks

    def next_block_bits(self) -> int:
        """Size of the next block that was never sent; blocks differ by one bit at most."""
        size, longer = divmod(self.bits, self.num_blocks)
        return size + (self.next_block < longer)
