"""Where every channel use of a transmission went.

Bits are counted on the wire. Of each frame: the payload, the packet header, the CRCs of transport
block and code blocks, the filler (zeros that make the code blocks equally long; bits shortened by
the LDPC code are not sent and cost nothing), the parity of the code rate-matched to whole symbols,
and repetition. Their sum over the bits per symbol is the number of channel uses; with the pilots of
the link beside them it must equal the symbols sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from channels.coding.segmentation import plan_blocks
from channels.types import Frame
from scmc_comm.errors import ScmcError

ITEMS = ("payload", "header", "crc", "filler", "parity", "repetition")
PILOTS, CONTROL, UNUSED = "pilots", "control", "unused"
UNITS = {
    "budget_uses, used, unused, uses_by_item": "channel uses",
    "frames: payload to repetition": "bits on the wire",
    "frames: uses, channel_uses, pilots": "channel uses",
    "frames: num_bits_per_symbol": "bits per channel use",
}
"""Units of `Ledger.to_dict`."""


@dataclass(frozen=True)
class LedgerEntry:
    """One frame's bits on the wire.

    Attributes:
        tag: The frame.
        payload, header, crc, filler, parity, repetition: Bits on the wire of each kind.
        num_bits_per_symbol: Bits that one channel use carries.
        channel_uses: Complex channel uses, pilots excluded.
    """

    tag: str
    payload: int
    header: int
    crc: int
    filler: int
    parity: int
    repetition: int
    num_bits_per_symbol: int
    channel_uses: int

    def __post_init__(self) -> None:
        items = {item: getattr(self, item) for item in ITEMS}
        if min(items.values()) < 0 or self.num_bits_per_symbol < 1:
            raise ScmcError(
                f"ledger of frame {self.tag!r} has a negative item, or symbols of "
                f"{self.num_bits_per_symbol} bits: {items}"
            )
        if sum(items.values()) != self.channel_uses * self.num_bits_per_symbol:
            raise ScmcError(
                f"ledger of frame {self.tag!r}: items sum to {sum(items.values())} bits, but "
                f"{self.channel_uses} channel uses carry "
                f"{self.channel_uses * self.num_bits_per_symbol}"
            )

    def uses(self, item: str) -> float:
        """Channel uses of one item."""
        return float(getattr(self, item)) / self.num_bits_per_symbol


def ledger_entry(frame: Frame, header_bits: int) -> LedgerEntry:
    """Itemise one frame, of whose bits the first ``header_bits`` are packet header.

    Example:
        >>> import numpy as np
        >>> from channels.types import Mcs
        >>> entry = ledger_entry(Frame("x", np.zeros(512, np.uint8), Mcs(2, 0.5)), 8)
        >>> entry.payload, entry.header, entry.crc, entry.parity, entry.channel_uses
        (504, 8, 16, 528, 528)
    """
    plan, mcs = plan_blocks(int(frame.bits.size), frame.mcs), frame.mcs
    crc = plan.crc_bits
    if plan.num_blocks > 1:  # every code block carries a CRC of its own
        crc = plan.num_blocks * plan.block_bits - plan.k - plan.num_padding
    once = plan.symbols_once * mcs.num_bits_per_symbol
    return LedgerEntry(
        tag=frame.tag,
        payload=plan.k - header_bits,
        header=header_bits,
        crc=crc,
        filler=plan.num_padding,
        parity=once - plan.k - crc - plan.num_padding,
        repetition=(mcs.repetition - 1) * once,
        num_bits_per_symbol=mcs.num_bits_per_symbol,
        channel_uses=plan.num_symbols,
    )


@dataclass(frozen=True)
class Ledger:
    """The channel uses of one transmission.

    Attributes:
        entries: One per frame, in the order of sending.
        budget_uses: Channel uses that the transmission may take.
        pilots: Channel uses of the pilots that go with each frame; empty on a link without.
        control: Channel uses of what the receiver must be told of the frames; 0 where that is
            counted for nothing.
    """

    entries: tuple[LedgerEntry, ...]
    budget_uses: int
    pilots: tuple[int, ...] = ()
    control: int = 0

    def __post_init__(self) -> None:
        if self.control < 0:
            raise ScmcError(f"control is {self.control}; expected 0 channel uses or more")
        if self.pilots and (len(self.pilots) != len(self.entries) or min(self.pilots) < 0):
            raise ScmcError(
                f"pilots are {self.pilots}; expected 0 or more for each of {len(self.entries)} "
                "frames"
            )
        if self.used > self.budget_uses:
            raise ScmcError(
                f"the frames take {self.used} channel uses, {sum(self.pilots)} of them pilots; the "
                f"budget is {self.budget_uses}"
            )

    @property
    def used(self) -> int:
        """Channel uses sent, pilots and control included."""
        return sum(self._uses()) + self.control

    @property
    def unused(self) -> int:
        """Channel uses of the budget that carry nothing."""
        return self.budget_uses - self.used

    def _frames(self) -> list[tuple[LedgerEntry, int]]:
        """Each entry and its pilots."""
        pilots = self.pilots or (0,) * len(self.entries)
        return list(zip(self.entries, pilots, strict=True))

    def _uses(self) -> list[int]:
        return [entry.channel_uses + count for entry, count in self._frames()]

    def uses_by_item(self) -> dict[str, float]:
        """Channel uses by what they carry: `ITEMS`, pilots, control, and what is `UNUSED`.

        They sum to the budget.
        """
        totals = {item: sum(entry.uses(item) for entry in self.entries) for item in ITEMS}
        totals[PILOTS] = float(sum(self.pilots))
        return totals | {CONTROL: float(self.control), UNUSED: float(self.unused)}

    def check(self, channel_uses: Sequence[int]) -> None:
        """Raise ScmcError unless these symbols, frame by frame, are what the ledger says."""
        sent, expected = [int(uses) for uses in channel_uses], self._uses()
        if sent != expected:
            raise ScmcError(f"the link sent {sent} symbols per frame; the ledger has {expected}")

    def to_dict(self) -> dict[str, object]:
        """Plain numbers for a JSON report, with their ``units``.

        Each frame has its items in bits and, as ``uses``, in channel uses, as `to_text` shows them.
        """
        totals = self.uses_by_item()
        frames = [
            {**asdict(entry), "pilots": count, "uses": {item: entry.uses(item) for item in ITEMS}}
            for entry, count in self._frames()
        ]
        return {
            "units": dict(UNITS),
            "budget_uses": self.budget_uses,
            "used": self.used,
            "unused": self.unused,
            "uses_by_item": {item: totals[item] for item in (*ITEMS, PILOTS, CONTROL)},
            "frames": frames,
        }

    def to_text(self) -> str:
        """A table in channel uses: a row per frame, a column per item, and bits per channel use."""
        items = (*ITEMS, PILOTS) if self.pilots else ITEMS
        head, totals, rows = ("frame", *items, "uses", "bit/use"), self.uses_by_item(), []
        for entry, count in self._frames():
            uses = {**{item: entry.uses(item) for item in ITEMS}, PILOTS: count}
            cells = (f"{uses[item]:.1f}" for item in items)
            bits = str(entry.num_bits_per_symbol)
            rows.append((entry.tag, *cells, str(entry.channel_uses + count), bits))
        if self.control:
            rows.append((CONTROL, *[""] * len(items), str(self.control), ""))
        rows.append(("sum", *(f"{totals[item]:.1f}" for item in items), str(self.used), ""))
        for name, left in ((UNUSED, self.unused), ("budget", self.budget_uses)):
            rows.append((name, *[""] * len(items), str(left), ""))
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        table = "\n".join(
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (head, *rows)
        )
        return f"{table}\n(all in channel uses, but for bit/use)"
