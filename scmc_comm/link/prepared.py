"""A transmission as data: what is sent, what it costs, and which parts need which others."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray

from channels.coding.transport_block import transport_block_code
from channels.errors import ChannelError
from channels.phy.names import ofdm_link, pilot_uses, symbol_pilot_uses
from channels.phy.stream import modulate
from channels.phy.waveform import papr_db
from channels.types import Frame
from channels.units import rho_to_uses
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.ledger import Ledger, LedgerEntry, ledger_entry
from scmc_comm.link.records import (
    array_text,
    read_array,
    read_frame,
    read_numbers,
    read_record,
    write_frame,
)
from scmc_comm.ranges import MAX_RHO
from scmc_comm.types import usable
from scmc_comm.wire import check_size

SYMBOLS = "symbols"
"""Tag of the one unit of an analog transmission."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One image, coded and protected, ready to be sent any number of times.

    Plain values that cannot be written, equal where all they hold is equal: it can be pickled,
    stored (`to_dict`), printed, compared and sent to another process.

    Attributes:
        size: ``(H, W)``.
        ledger: Where the channel uses go.
        frames: What is sent; empty if nothing fits the budget, or if symbols are sent.
        needs: For a tag, the tag without which the receiver cannot use it.
        infeasible: Why nothing could be sent, or None.
        symbols: Of an analog system, complex64 [n] of mean power 1; None where frames are sent.
        design_esno_db: Mean Es/N0 in dB that an analog receiver assumes of the sender; else None.
        phy: The link that it is made for, as in `Budget`; its waveform decides over `papr_db`.
        left_out: Of layers that were to be sent, by tag, why they are not.

    Raises:
        ScmcError: Values that contradict one another, such as a ledger of other frames.
    """

    size: tuple[int, int]
    ledger: Ledger
    frames: tuple[Frame, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    infeasible: str | None = None
    symbols: NDArray[np.complex64] | None = None
    design_esno_db: float | None = None
    phy: str = "flat"
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_size(self.size)
        frames = tuple(replace(frame, bits=_read_only(frame.bits)) for frame in self.frames)
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "needs", MappingProxyType(dict(self.needs)))
        object.__setattr__(self, "left_out", MappingProxyType(dict(self.left_out)))
        if self.symbols is not None:
            object.__setattr__(self, "symbols", _read_only(self.symbols))
        self._check_sent()
        if unknown := ({*self.needs, *self.needs.values()} - set(self.tags)):
            raise ScmcError(f"needs name {sorted(unknown)}; expected tags of {list(self.tags)}")

    def _check_sent(self) -> None:
        """The ledger is that of what is sent: of frames, of symbols, or of nothing."""
        entries = self.ledger.entries
        if self.infeasible is not None and entries:
            raise ScmcError(f"{list(self.tags)} are sent, yet infeasible is {self.infeasible!r}")
        if self.symbols is None:
            headers = [entry.header for entry in entries]
            if len(headers) != len(self.frames) or entries != _entries(self.frames, headers):
                raise ScmcError(
                    "the ledger does not list the frames; build it from the same frames"
                )
            if len(set(self.tags)) < len(self.tags):
                raise ScmcError(f"tags of frames are {list(self.tags)}; expected each once")
        else:
            uses, pilots = len(self.symbols), sum(entry.header for entry in entries)
            alone = not self.frames and self.ledger.used == uses + sum(self.ledger.pilots)
            if not alone or entries != (_symbols_entry(uses, pilots),):
                raise ScmcError(
                    f"the ledger has {self.ledger.used} channel uses; expected the {uses} symbols "
                    "and the link's pilots, and no frames"
                )
            if self.symbols.dtype != np.complex64 or not np.isfinite(self.symbols).all():
                raise ScmcError("symbols are not finite complex64 [n]")
        if (self.symbols is None) != (self.design_esno_db is None):
            raise ScmcError("design_esno_db goes with symbols; expected both or neither")

    def _content(self) -> tuple[Hashable, ...]:
        frames = tuple(
            (frame.tag, frame.bits.tobytes(), frame.mcs, frame.power_db, frame.priority)
            for frame in self.frames
        )
        symbols = None if self.symbols is None else self.symbols.tobytes()
        needs = tuple(sorted(self.needs.items()))
        return (
            self.size, self.ledger, frames, needs, self.infeasible, symbols, self.design_esno_db,
            self.phy, tuple(sorted(self.left_out.items())),
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prepared) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy is made like the original, checks and all: its arrays cannot be written either."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        plain = {name: dict(values[name]) for name in ("needs", "left_out")}
        return _made, (values | plain,)

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
            needs: See the attribute; what is said of tags that are not sent is left out.

        Raises:
            ScmcError: The frames take more than the budget.

        Example:
            >>> from channels.types import Mcs
            >>> frame = Frame("image", np.zeros(400, np.uint8), Mcs(2, 0.5))
            >>> prepared = Prepared.of_frames([frame], [0], Budget(1 / 24, 10.0), (64, 64))
            >>> prepared.tags, prepared.ledger.used, prepared.bpp
            (('image',), 416, 0.09765625)
        """
        pilots = () if budget.phy == "flat" else pilot_uses(budget.phy, frames)
        ledger = Ledger(_entries(frames, header_bits), budget.all_uses(size), pilots)
        sent = {frame.tag for frame in frames}
        needs = {tag: need for tag, need in (needs or {}).items() if tag in sent}
        return cls(size, ledger, tuple(frames), needs, phy=budget.phy)

    @classmethod
    def of_symbols(
        cls, symbols: torch.Tensor, num_pilots: int, budget: Budget, size: tuple[int, int]
    ) -> Prepared:
        """An analog transmission; every symbol is charged, and the link's pilots beside them.

        Args:
            symbols: complex64 [n], of mean power 1.
            num_pilots: How many of them are pilots of the system, counted as header.
            budget: What may be spent; its design Es/N0 is what the receiver assumes.
            size: ``(H, W)``.

        Raises:
            ScmcError: There are more symbols than channel uses.
        """
        uses = len(symbols)
        pilots = () if budget.phy == "flat" else (symbol_pilot_uses(budget.phy, uses),)
        return cls(
            size, Ledger((_symbols_entry(uses, num_pilots),), budget.all_uses(size), pilots),
            symbols=symbols.numpy(), design_esno_db=budget.design_esno_db,
            phy=budget.phy,
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
    def bpp(self) -> float:
        """8 * bytes put on the wire once / (H W), packet headers included; 0 for symbols."""
        return sum(frame.bits.size for frame in self.frames) / (self.size[0] * self.size[1])

    @property
    def papr_db(self) -> float:
        """Peak over mean power of the waveform that is sent, in dB; NaN if none is.

        See `channels.phy.waveform.papr_db`.
        """
        if self.symbols is not None:
            return papr_db(torch.tensor(self.symbols), self.phy)
        if not self.frames:
            return math.nan
        codes = [transport_block_code(frame.bits.size, frame.mcs) for frame in self.frames]
        symbols, amplitude = modulate(self.frames, codes)
        return papr_db(symbols * amplitude, self.phy)

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
            "control": self.ledger.control,
            "frames": [write_frame(frame) for frame in self.frames],
            "needs": dict(self.needs),
            "infeasible": self.infeasible,
            "symbols": None if self.symbols is None else array_text(self.symbols),
            "design_esno_db": self.design_esno_db,
            "phy": self.phy,
            "left_out": dict(self.left_out),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Prepared:
        """The transmission that `to_dict` wrote down.

        Args:
            values: As they were read; they may be hostile.

        Raises:
            ScmcError: Anything that `to_dict` could not have written.
        """
        read = read_record(values, _STORED, "transmission")
        size, pilots = (read_numbers(read[name], name) for name in ("size", "pilots"))
        if len(size) != 2:
            raise ScmcError(f"size is {list(size)}; expected height and width")
        entry_kinds = get_type_hints(LedgerEntry)
        entries = [read_record(entry, entry_kinds, "ledger entry") for entry in read["entries"]]
        for name in ("needs", "left_out"):
            if not all(isinstance(text, str) for pair in read[name].items() for text in pair):
                raise ScmcError(f"{name} is no text by tag")
        try:
            ledger = Ledger(
                tuple(LedgerEntry(**entry) for entry in entries), read["budget_uses"], pilots,
                read["control"],
            )  # fmt: skip
            most_uses = rho_to_uses(MAX_RHO, check_size((size[0], size[1])))
            if ledger.budget_uses > most_uses:
                raise ScmcError(f"budget_uses is {ledger.budget_uses}; expected up to {most_uses}")
            ofdm_link(read["phy"])
            frames = tuple(read_frame(frame) for frame in read["frames"])
            symbols = read["symbols"]
            if symbols is not None:
                symbols = read_array(symbols, np.complex64, "symbols")
            return cls(
                (size[0], size[1]), ledger, frames, read["needs"], read["infeasible"], symbols,
                read["design_esno_db"], read["phy"], read["left_out"],
            )  # fmt: skip
        except ChannelError as error:
            raise ScmcError(str(error)) from error


_STORED = {
    "size": list, "entries": list, "budget_uses": int, "pilots": list, "control": int,
    "frames": list, "needs": dict, "infeasible": str | None, "symbols": str | None,
    "design_esno_db": float | None, "phy": str, "left_out": dict,
}  # fmt: skip


def _entries(frames: Sequence[Frame], header_bits: Sequence[int]) -> tuple[LedgerEntry, ...]:
    pairs = zip(frames, header_bits, strict=True)
    return tuple(ledger_entry(frame, bits) for frame, bits in pairs)


def _symbols_entry(uses: int, num_pilots: int) -> LedgerEntry:
    """A symbol is counted as one "bit", so that the entry's items are channel uses."""
    return LedgerEntry(SYMBOLS, uses - num_pilots, num_pilots, 0, 0, 0, 0, 1, uses)


def _made(values: dict[str, Any]) -> Prepared:
    return Prepared(**values)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy, that nobody can write into."""
    if array.flags.writeable or array.base is not None:
        array = array.copy()
        array.flags.writeable = False
    return array
