"""The one readable path of an image over a link.

1. `prepare`, by `System.prepare`: encode, choose the protection, build the frames -> Prepared;
   every channel use is in its ledger
2. `send`: draw the channel, code, map, fade, equalise, demap, decode, check the CRC -> LinkReport
3. `System.reconstruct`: a pure function of what arrived -> Reconstruction; nothing at all is
   mid-grey

Sweeps run the same three steps, with a cache between them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from channels.fading.models import Channel
from channels.types import Frame, LinkReport, ReceivedSymbols
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.control import control_uses
from scmc_comm.link.prepared import SYMBOLS, Prepared
from scmc_comm.systems.base import System
from scmc_comm.types import Reconstruction

logger = logging.getLogger(__name__)


class Phy(Protocol):
    """A physical layer, as in `channels.phy`."""

    def send(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> LinkReport:
        """Send the frames once per seed."""
        ...


@runtime_checkable
class AnalogPhy(Protocol):
    """A physical layer that also takes symbols as they are."""

    def send_symbols(
        self, symbols: torch.Tensor, channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor, int]:
        """As `channels.phy.analog.send_symbols`."""
        ...


def prepare(system: System, img: torch.Tensor, budget: Budget) -> Prepared:
    """What a system sends in a budget, its control information included.

    Where the budget has to carry that, the system is given less of it until what is left carries
    the control information of the frames that it then sends. An analog system sends no frames.

    Args:
        system: The scheme.
        img: float32 [3, H, W] in [0, 1].
        budget: Channel uses and design point, with its `Budget.control_bits`.

    Raises:
        ScmcError: As `System.prepare`, or the system says that it is analog and is not, or is and
            does not say so.

    Example:
        >>> from scmc_comm.registry import make_system
        >>> budget = Budget(1 / 4, 10.0, control_bits=22)
        >>> ledger = prepare(make_system("jpeg"), torch.rand(3, 64, 64), budget).ledger
        >>> 0 < ledger.control < 200, ledger.used <= ledger.budget_uses
        (True, True)
    """
    reserved = 0
    while True:
        # A picture of its own: what a system writes into it is not what it is measured against.
        prepared = system.prepare(img.clone(), replace(budget, reserved_uses=reserved))
        _check_kind(system, prepared)
        needed = control_uses(prepared.frames, budget.control_bits)
        if needed <= reserved:
            return replace(prepared, ledger=replace(prepared.ledger, control=needed))
        reserved = needed


def _check_kind(system: System, prepared: Prepared) -> None:
    """Refuses a system that sends other than it says: its symbols would count as lost frames."""
    sends_symbols = prepared.symbols is not None
    if prepared.infeasible is None and sends_symbols != system.analog:
        sent, said = ("symbols", "False") if sends_symbols else ("frames", "True")
        raise ScmcError(
            f"{type(system).__name__} sends {sent}, but its class says analog = {said}; set "
            f"analog: ClassVar[bool] = {sends_symbols}"
        )


def send(
    prepared: Prepared, channel: Channel, esno_db: float, seeds: Sequence[int], phy: Phy
) -> LinkReport:
    """Send a prepared image once per seed over fresh draws of the channel.

    A frame whose CRC passed over wrong bits (about 2^-16 of the failures) is taken for lost.

    Args:
        prepared: What is sent; where it is infeasible nothing ever arrives.
        channel: The channel model.
        esno_db: Mean Es/N0 per complex channel use in dB.
        seeds: One per trial; the same seeds give every system the same fades and noise.
        phy: The physical layer.

    Raises:
        ScmcError: There are no seeds, the link sent other symbols than the ledger lists, or an
            analog transmission meets a physical layer that takes frames alone.
    """
    if not len(seeds):
        raise ScmcError("seeds is empty; expected one seed per trial")
    if prepared.symbols is not None:
        report = _send_symbols(prepared.symbols, channel, esno_db, seeds, phy)
    elif prepared.frames:
        report = phy.send(prepared.frames, channel, esno_db, seeds)
    else:
        report = LinkReport((), np.zeros((len(seeds), 0), bool), np.zeros(0, int))
    prepared.ledger.check(report.channel_uses.tolist())
    return _without_undetected_errors(report, prepared.frames)


def _send_symbols(
    symbols: np.ndarray, channel: Channel, esno_db: float, seeds: Sequence[int], phy: Phy
) -> LinkReport:
    if not isinstance(phy, AnalogPhy):
        raise ScmcError(
            f"{type(phy).__name__} sends frames of bits; an analog system needs a link that takes "
            "symbols, such as those of channels.phy.names"
        )
    x_hat, esno, uses = phy.send_symbols(torch.tensor(symbols), channel, esno_db, seeds)
    received = [ReceivedSymbols(x, float(e)) for x, e in zip(x_hat, esno, strict=True)]
    delivered = np.ones((len(seeds), 1), bool)
    return LinkReport((SYMBOLS,), delivered, np.array([uses]), symbols=tuple(received))


def _without_undetected_errors(report: LinkReport, frames: Sequence[Frame]) -> LinkReport:
    delivered = report.delivered.copy()
    for i, (frame, bits_hat) in enumerate(zip(frames, report.bits_hat, strict=False)):
        delivered[:, i] &= (bits_hat == frame.bits).all(axis=1)
        if undetected := int((report.delivered[:, i] & ~delivered[:, i]).sum()):
            logger.warning("undetected errors in %d frames %s", undetected, frame.tag)
    return replace(report, delivered=delivered)


@dataclass(frozen=True)
class Transmission:
    """One image sent by one system over a batch of trials.

    Attributes:
        system: The system.
        prepared: What was sent.
        report: What came of it.
    """

    system: System
    prepared: Prepared
    report: LinkReport
    _shown: dict[frozenset[str], Reconstruction] = field(default_factory=dict, repr=False)

    @property
    def delivered(self) -> tuple[frozenset[str], ...]:
        """Tags that arrived, one set per trial."""
        return tuple(self.report.delivered_tags(trial) for trial in range(self.report.num_trials))

    def reconstruction(self, trial: int) -> Reconstruction:
        """What the receiver shows in one trial; decoded once for each set of usable tags."""
        received = self.report.received(trial)
        if isinstance(received, ReceivedSymbols):
            return self.system.reconstruct(self.prepared, received)
        usable = self.prepared.usable(received)
        if usable not in self._shown:
            self._shown[usable] = self.system.reconstruct(self.prepared, usable)
        return self._shown[usable]


def transmit(
    system: System,
    img: torch.Tensor,
    budget: Budget,
    channel: Channel,
    esno_db: float,
    seeds: Sequence[int],
    phy: Phy,
) -> Transmission:
    """Prepare one image, and send it once per seed.

    Args:
        system: The scheme.
        img: float32 [3, H, W] in [0, 1].
        budget: Channel uses, and what the sender assumes of the link
            (`scmc_comm.link.budget.design_for` says what it knows of it).
        channel: The channel model.
        esno_db: Mean Es/N0 per complex channel use in dB.
        seeds: One per trial.
        phy: The physical layer.

    Example:
        >>> from channels.fading.models import make_channel
        >>> from channels.phy.names import make_phy
        >>> from scmc_comm.registry import make_system
        >>> img, awgn = torch.rand(3, 64, 64), make_channel("awgn")
        >>> sent = transmit(
        ...     make_system("jpeg"), img, Budget(1 / 2, 10.0), awgn, 20.0, [1, 2], make_phy()
        ... )
        >>> sent.delivered, sent.reconstruction(0).img_hat.shape
        ((frozenset({'image'}), frozenset({'image'})), torch.Size([3, 64, 64]))
    """
    prepared = prepare(system, img, budget)
    return Transmission(system, prepared, send(prepared, channel, esno_db, seeds, phy))
