"""A transmission as data: what is sent, what it costs, and which parts need which others."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from channels.coding.transport_block import transport_block_code
from channels.phy.analog import papr_db
from channels.phy.names import pilot_uses
from channels.phy.stream import modulate
from channels.types import Frame, Mcs
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.ledger import Ledger, LedgerEntry, ledger_entry
from scmc_comm.types import usable

SYMBOLS = "symbols"
"""Tag of the one unit of an analog transmission."""


@dataclass(frozen=True)
class Prepared:
    """One image, coded and protected, ready to be sent any number of times.

    Plain values: it can be pickled, stored (`to_dict`), printed and sent to another process.

    Attributes:
        size: ``(H, W)``.
        ledger: Where the channel uses go.
        frames: What is sent; empty if nothing fits the budget, or if symbols are sent.
        bpp: 8 * bytes put on the wire once / (H W), packet headers included.
        needs: For a tag, the tag without which the receiver cannot use it.
        infeasible: Why nothing could be sent, or None.
        symbols: Of an analog system, complex64 [n] of mean power 1; None where frames are sent.
        design_esno_db: Mean Es/N0 in dB that an analog receiver assumes of the sender; else None.
    """

    size: tuple[int, int]
    ledger: Ledger
    frames: tuple[Frame, ...] = ()
    bpp: float = 0.0
    needs: Mapping[str, str] = field(default_factory=dict)
    infeasible: str | None = None
    symbols: NDArray[np.complex64] | None = None
    design_esno_db: float | None = None

    def __post_init__(self) -> None:
        if self.symbols is not None:
            if self.frames or self.ledger.used != len(self.symbols):
                raise ScmcError(
                    f"the ledger has {self.ledger.used} channel uses; expected the "
                    f"{len(self.symbols)} symbols, and no frames"
                )
        elif [frame.tag for frame in self.frames] != [entry.tag for entry in self.ledger.entries]:
            raise ScmcError("the ledger does not list the frames; build it from the same frames")

    @classmethod
    def of_frames(
        cls,
        frames: Sequence[Frame],
        header_bits: Sequence[int],
        budget: Budget,
        size: tuple[int, int],
        needs: Mapping[str, str] | None = None,
    ) -> Prepared:
        """A coded transmission, with every channel use in its ledger, the link's pilots included.

        Args:
            frames: What is sent, in order.
            header_bits: Of each frame, how many of its bits are packet header.
            budget: What may be spent.
            size: ``(H, W)``.
            needs: See the attribute.

        Raises:
            ScmcError: The frames take more than the budget.

        Example:
            >>> frame = Frame("image", np.zeros(400, np.uint8), Mcs(2, 0.5))
            >>> prepared = Prepared.of_frames([frame], [0], Budget(1 / 24, 10.0), (64, 64))
            >>> prepared.tags, prepared.ledger.used, prepared.bpp
            (('image',), 416, 0.09765625)
        """
        pairs = zip(frames, header_bits, strict=True)
        entries = tuple(ledger_entry(frame, bits) for frame, bits in pairs)
        pilots = () if budget.phy == "flat" else pilot_uses(budget.phy, frames)
        ledger = Ledger(entries, budget.all_uses(size), pilots)
        bpp = sum(frame.bits.size for frame in frames) / (size[0] * size[1])
        return cls(size, ledger, tuple(frames), bpp, dict(needs or {}))

    @classmethod
    def of_symbols(
        cls, symbols: torch.Tensor, num_pilots: int, budget: Budget, size: tuple[int, int]
    ) -> Prepared:
        """An analog transmission; every symbol is charged.

        Args:
            symbols: complex64 [n], of mean power 1.
            num_pilots: How many of them are pilots, which the ledger counts as header.
            budget: What may be spent; its design Es/N0 is what the receiver assumes.
            size: ``(H, W)``.

        Raises:
            ScmcError: There are more symbols than channel uses.
        """
        uses = len(symbols)
        # A symbol is counted as one "bit", so that the entry's items are channel uses.
        entry = LedgerEntry(SYMBOLS, uses - num_pilots, num_pilots, 0, 0, 0, 0, 1, uses)
        return cls(
            size, Ledger((entry,), budget.uses(size)),
            symbols=symbols.numpy(), design_esno_db=budget.design_esno_db,
        )  # fmt: skip

    @classmethod
    def nothing(cls, size: tuple[int, int], budget: Budget, reason: str) -> Prepared:
        """A transmission of nothing: an infeasible budget is shown as a failure, not dropped."""
        return cls(size, Ledger((), budget.all_uses(size)), infeasible=reason)

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of what is sent, in order."""
        return tuple(entry.tag for entry in self.ledger.entries)

    @property
    def papr_db(self) -> float:
        """Peak over mean power of the symbols that are sent, in dB; NaN if none are."""
        if self.symbols is not None:
            return papr_db(torch.from_numpy(self.symbols))
        if not self.frames:
            return math.nan
        codes = [transport_block_code(frame.bits.size, frame.mcs) for frame in self.frames]
        symbols, amplitude = modulate(self.frames, codes)
        return papr_db(symbols * amplitude)

    def usable(self, delivered: frozenset[str]) -> frozenset[str]:
        """Those of the delivered tags whose needs were delivered too; others show nothing.

        Raises:
            ScmcError: A tag that was never sent.

        Example:
            >>> from channels.types import Mcs
            >>> frames = [Frame(t, np.zeros(80, np.uint8), Mcs(2, 0.5)) for t in ("a", "b", "c")]
            >>> needs = {"b": "a", "c": "b"}
            >>> sent = Prepared.of_frames(frames, (0,) * 3, Budget(1, 10.0), (32, 32), needs)
            >>> sorted(sent.usable(frozenset("bc"))), sorted(sent.usable(frozenset("ac")))
            ([], ['a'])
        """
        unknown = delivered - set(self.tags)
        if unknown:
            raise ScmcError(
                f"delivered tags {sorted(unknown)} were never sent; expected a subset of "
                f"{list(self.tags)}"
            )
        return usable(delivered, self.needs)

    def to_dict(self) -> dict[str, Any]:
        """Values that JSON can hold; `from_dict` is the inverse."""
        return {
            "size": list(self.size),
            "entries": [asdict(entry) for entry in self.ledger.entries],
            "budget_uses": self.ledger.budget_uses,
            "pilots": list(self.ledger.pilots),
            "frames": [_frame_to_dict(frame) for frame in self.frames],
            "bpp": float(self.bpp),
            "needs": dict(self.needs),
            "infeasible": self.infeasible,
            "symbols": None if self.symbols is None else _text(self.symbols),
            "design_esno_db": self.design_esno_db,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Prepared:
        """The transmission that `to_dict` wrote down."""
        height, width = values["size"]
        entries = tuple(LedgerEntry(**entry) for entry in values["entries"])
        symbols = values["symbols"]
        return cls(
            size=(height, width),
            ledger=Ledger(entries, values["budget_uses"], tuple(values["pilots"])),
            frames=tuple(_frame_from_dict(frame) for frame in values["frames"]),
            bpp=values["bpp"],
            needs=values["needs"],
            infeasible=values["infeasible"],
            symbols=None if symbols is None else _array(symbols, np.complex64),
            design_esno_db=values["design_esno_db"],
        )


def _frame_to_dict(frame: Frame) -> dict[str, Any]:
    return {
        "tag": frame.tag,
        "num_bits": int(frame.bits.size),
        "bits": _text(np.packbits(frame.bits)),
        "mcs": [frame.mcs.num_bits_per_symbol, frame.mcs.coderate, frame.mcs.repetition],
        "power_db": float(frame.power_db),
        "priority": int(frame.priority),
    }


def _frame_from_dict(values: Mapping[str, Any]) -> Frame:
    bits = np.unpackbits(_array(values["bits"], np.uint8), count=values["num_bits"])
    return Frame(values["tag"], bits, Mcs(*values["mcs"]), values["power_db"], values["priority"])


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _array(text: str, kind: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), kind).copy()
