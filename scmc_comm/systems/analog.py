"""Analog transmission: symbols of any value in place of frames, and a picture for every draw.

An analog receiver has no delivered set: what it shows depends on the noise itself. So each trial
is a set of its own, tagged ``draw.0``, ``draw.1``, ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from channels.fading.models import Channel
from channels.phy.analog import papr_db
from scmc_comm.errors import ScmcError
from scmc_comm.link.ledger import Ledger, LedgerEntry
from scmc_comm.systems.base import Phy, Prepared, Transmission, grey

TAG = "symbols"
DRAW = "draw."
_BATCH = 8  # pictures decoded at once

Receive = Callable[[Tensor, Tensor], Tensor]
"""Equalised symbols complex64 [b, n] and linear Es/N0 [b] to pictures [b, 3, H, W] in [0, 1]."""


@runtime_checkable
class AnalogPhy(Protocol):
    """A physical layer that also takes symbols as they are."""

    def send_symbols(
        self, symbols: Tensor, channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """As `channels.phy.analog.send_symbols`."""
        ...


@dataclass(frozen=True, kw_only=True)
class AnalogPrepared(Prepared):
    """One image as channel symbols, ready to be sent any number of times.

    Attributes:
        symbols: complex64 [n], mean power 1.
        receive: What the receiver makes of them.
    """

    symbols: Tensor
    receive: Receive

    def __post_init__(self) -> None:
        if self.frames or self.ledger.used != len(self.symbols):
            raise ScmcError(
                f"the ledger has {self.ledger.used} channel uses; expected the "
                f"{len(self.symbols)} symbols, and no frames"
            )

    @property
    def papr_db(self) -> float:
        """Peak over mean power of the symbols in dB."""
        return papr_db(self.symbols)

    def send(
        self, channel: Channel, esno_db: float, seeds: Sequence[int], phy: Phy
    ) -> Transmission:
        """Send once per seed over fresh draws of the channel; arguments as `Prepared.send`.

        Raises:
            ScmcError: The physical layer takes frames of bits alone.
        """
        if not len(seeds):
            raise ScmcError("seeds is empty; expected one seed per trial")
        if not isinstance(phy, AnalogPhy):
            raise ScmcError(
                f"{type(phy).__name__} sends frames of bits; an analog system needs a flat link, "
                "such as the bit-true one"
            )
        pictures = []
        with torch.no_grad():
            for start in range(0, len(seeds), _BATCH):
                some = seeds[start : start + _BATCH]
                x_hat, esno = phy.send_symbols(self.symbols, channel, esno_db, some)
                pictures.append(self.receive(x_hat, esno))
        delivered = tuple(frozenset({draw_tag(trial)}) for trial in range(len(seeds)))
        return Transmission(self, None, delivered, torch.cat(pictures))


def draw_tag(trial: int) -> str:
    """Tag of the set that one trial of an analog system is.

    Example:
        >>> draw_tag(3)
        'draw.3'
    """
    return f"{DRAW}{trial}"


def analog(
    symbols: Tensor,
    receive: Receive,
    size: tuple[int, int],
    budget_uses: int,
    num_pilots: int = 0,
) -> AnalogPrepared:
    """A prepared transmission of symbols; every one of them is charged.

    Args:
        symbols: complex64 [n], mean power 1.
        receive: What the receiver makes of them.
        size: ``(H, W)``.
        budget_uses: Channel uses that they may take.
        num_pilots: How many of the symbols are pilots, which the ledger counts as header.

    Raises:
        ScmcError: There are more symbols than channel uses.
    """
    uses = len(symbols)
    # A symbol is counted as one "bit", so that the entry's items are channel uses.
    entry = LedgerEntry(TAG, uses - num_pilots, num_pilots, 0, 0, 0, 0, 1, channel_uses=uses)
    ledger = Ledger((entry,), budget_uses)
    return AnalogPrepared(
        (), ledger, 0.0, lambda tags: grey(size, tags), size, symbols=symbols, receive=receive
    )
