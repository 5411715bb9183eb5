"""What every scheme has in common: a budget, a prepared transmission, and one way to send it."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from channels.coding.transport_block import transport_block_code
from channels.fading.models import Channel
from channels.phy.analog import papr_db
from channels.phy.names import data_uses, pilot_uses
from channels.phy.stream import modulate
from channels.types import Frame, LinkReport
from channels.units import rho_to_uses
from scmc_comm.errors import ScmcError
from scmc_comm.link.ledger import Ledger
from scmc_comm.types import MIN_SIDE, LayerKind, Reconstruction

logger = logging.getLogger(__name__)

Reconstruct = Callable[[frozenset[str]], Reconstruction]


class Phy(Protocol):
    """A physical layer, as in `channels.phy.bit_true`."""

    def send(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> LinkReport:
        """Send the frames once per seed."""
        ...


@dataclass(frozen=True)
class Budget:
    """What a scheme may spend and what it is designed for.

    Attributes:
        rho: Bandwidth ratio, complex channel uses over 3 H W.
        design_esno_db: Mean Es/N0 in dB that rates and protection are chosen for.
        channel: The channel whose law they are chosen for, by name and parameters as
            `channels.fading.models.make_channel` takes it; a scheme may ignore it.
        utility: What they are to make best on average, as `scmc_comm.link.utility.Utility` reads
            it; a scheme may ignore it.
        phy: The link that it is for, by name as `channels.phy.names.make_phy` takes it. Its pilots
            are part of the budget.

    Example:
        >>> Budget(1 / 48, 10.0).uses((256, 256))
        4096
        >>> budget = Budget(1 / 48, 10.0, phy="ofdm")
        >>> budget.uses((256, 256)), budget.all_uses((256, 256))
        (3888, 4096)
    """

    rho: float
    design_esno_db: float
    channel: str = "awgn"
    utility: str = "psnr_db"
    phy: str = "flat"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rho) and 0 < self.rho <= 4):
            raise ScmcError(f"rho is {self.rho}; expected a bandwidth ratio above 0 and up to 4")
        if not math.isfinite(self.design_esno_db):
            raise ScmcError(f"design_esno_db is {self.design_esno_db}; expected a number in dB")

    def uses(self, size: tuple[int, int]) -> int:
        """Complex channel uses for the data of an image of ``(H, W)``: all that is not pilots."""
        return data_uses(self.phy, self.all_uses(size))

    def all_uses(self, size: tuple[int, int]) -> int:
        """Complex channel uses for an image of ``(H, W)``, pilots included."""
        return rho_to_uses(self.rho, size)


@dataclass(frozen=True)
class Prepared:
    """One image, coded and protected, ready to be sent any number of times.

    Attributes:
        frames: What is sent; empty if nothing fits the budget.
        ledger: Where the channel uses go.
        bpp: 8 * bytes put on the wire once / (H W), packet headers included.
        reconstruct: From the set of delivered tags to what the receiver shows. A pure function,
            computed at most once per set.
        size: ``(H, W)``.
        infeasible: Why nothing could be sent, or None.
        usable: From the set of delivered tags to those of them that the receiver can use; sets
            with the same usable tags look the same.
    """

    frames: tuple[Frame, ...]
    ledger: Ledger
    bpp: float
    reconstruct: Reconstruct
    size: tuple[int, int]
    infeasible: str | None = None
    usable: Callable[[frozenset[str]], frozenset[str]] = frozenset

    def __post_init__(self) -> None:
        if [frame.tag for frame in self.frames] != [entry.tag for entry in self.ledger.entries]:
            raise ScmcError("the ledger does not list the frames; build it from the same frames")
        once = functools.cache(self.reconstruct)

        @functools.wraps(self.reconstruct)
        def reconstruct(delivered: frozenset[str]) -> Reconstruction:
            return once(self.usable(delivered))

        object.__setattr__(self, "reconstruct", reconstruct)

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of the frames, in order."""
        return tuple(frame.tag for frame in self.frames)

    @property
    def papr_db(self) -> float:
        """Peak over mean power of the symbols that are sent, in dB; NaN if none are."""
        if not self.frames:
            return math.nan
        codes = [transport_block_code(frame.bits.size, frame.mcs) for frame in self.frames]
        symbols, amplitude = modulate(self.frames, codes)
        return papr_db(symbols * amplitude)

    def send(
        self, channel: Channel, esno_db: float, seeds: Sequence[int], phy: Phy
    ) -> Transmission:
        """Send once per seed over fresh draws of the channel.

        Args:
            channel: The channel model.
            esno_db: Mean Es/N0 per complex channel use in dB.
            seeds: One per trial; the same seeds give every system the same fades and noise.
            phy: The physical layer.
        """
        if not len(seeds):
            raise ScmcError("seeds is empty; expected one seed per trial")
        if not self.frames:
            return Transmission(self, None, (frozenset(),) * len(seeds))
        report = phy.send(self.frames, channel, esno_db, seeds)
        self.ledger.check(report.channel_uses.tolist())
        delivered = tuple(
            report.delivered_tags(trial) - self._undetected(report, trial)
            for trial in range(report.num_trials)
        )
        return Transmission(self, report, delivered)

    def _undetected(self, report: LinkReport, trial: int) -> frozenset[str]:
        """Frames whose CRC passed over wrong bits: about 2^-16 of the failures, kept as losses."""
        if not report.bits_hat:
            return frozenset()
        wrong = frozenset(
            frame.tag
            for i, frame in enumerate(self.frames)
            if report.delivered[trial, i]
            and not np.array_equal(report.bits_hat[i][trial], frame.bits)
        )
        if wrong:
            logger.warning("trial %d: undetected errors in %s", trial, sorted(wrong))
        return wrong


@dataclass(frozen=True)
class Transmission:
    """What came of sending one prepared image, over a batch of trials.

    Attributes:
        prepared: What was sent.
        report: The link's report; None if nothing could be sent, or if no bits were.
        delivered: Tags that arrived, one set per trial.
        pictures: What an analog receiver shows, float32 [num_trials, 3, H, W]: it depends on the
            noise of the trial. None where the delivered set says it.
    """

    prepared: Prepared
    report: LinkReport | None
    delivered: tuple[frozenset[str], ...]
    pictures: torch.Tensor | None = None

    @property
    def num_trials(self) -> int:
        """Number of trials."""
        return len(self.delivered)

    @property
    def infeasible(self) -> bool:
        """True if the budget was too small to send anything."""
        return self.prepared.infeasible is not None

    def reconstruction(self, trial: int) -> Reconstruction:
        """What the receiver shows in one trial."""
        if self.pictures is None:
            return self.prepared.reconstruct(self.delivered[trial])
        return Reconstruction(self.pictures[trial], LayerKind.SIGNAL, self.delivered[trial])


class System(ABC):
    """A complete scheme, from image to frames and from delivered frames to image.

    Attributes:
        name: Name in results.
        knows: What the transmitter knows of the point it sends at, out of ``"esno_db"`` (the mean
            Es/N0) and ``"channel"`` (its law). Of what it does not know it assumes the sweep's
            design.
    """

    name: str
    knows: frozenset[str] = frozenset()

    @abstractmethod
    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """Code and protect one image.

        Args:
            img: float32 [3, H, W] in [0, 1].
            budget: Channel uses and design point.
        """

    def transmit(
        self,
        img: torch.Tensor,
        channel: Channel,
        esno_db: float,
        budget: Budget,
        seeds: Sequence[int],
        phy: Phy,
    ) -> Transmission:
        """Prepare one image and send it once per seed; the one way to run a system."""
        prepared = charge_pilots(self.prepare(img, budget), budget)
        return prepared.send(channel, esno_db, seeds, phy)


def charge_pilots(prepared: Prepared, budget: Budget) -> Prepared:
    """The same transmission with the pilots of the budget's link in its ledger.

    Schemes know nothing of pilots: `Budget.uses` gives them what is left for data.

    Args:
        prepared: What a scheme made of `budget`.
        budget: The budget.
    """
    if budget.phy == "flat":
        return prepared
    pilots = pilot_uses(budget.phy, prepared.frames)
    ledger = Ledger(prepared.ledger.entries, budget.all_uses(prepared.size), pilots)
    return dataclasses.replace(prepared, ledger=ledger)


def check_image(img: torch.Tensor) -> tuple[int, int]:
    """``(H, W)`` of an image, or ScmcError if it is not float [3, H, W] in [0, 1]."""
    if img.ndim != 3 or img.shape[0] != 3 or not img.is_floating_point():
        raise ScmcError(
            f"image is {img.dtype} {list(img.shape)}; expected float32 [3, H, W] in [0, 1]"
        )
    height, width = int(img.shape[1]), int(img.shape[2])
    if min(height, width) < MIN_SIDE:
        raise ScmcError(f"image is {height}x{width}; each side must have {MIN_SIDE} pixels or more")
    low, high = float(img.min()), float(img.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # also catches NaN
        raise ScmcError(f"image values reach from {low:g} to {high:g}; expected [0, 1]")
    return height, width


def grey(size: tuple[int, int], delivered: frozenset[str] = frozenset()) -> Reconstruction:
    """The declared failure picture: mid-grey, with no level."""
    return Reconstruction(torch.full((3, *size), 0.5), None, delivered)


def infeasible(size: tuple[int, int], budget: Budget, reason: str) -> Prepared:
    """A transmission of nothing, for results that must show the failure and not drop it."""
    return Prepared((), Ledger((), budget.uses(size)), 0.0, lambda _: grey(size), size, reason)
