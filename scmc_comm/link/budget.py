"""What a scheme may spend, and what its sender assumes of the link."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Annotated

from channels.phy.names import data_uses, pilot_layout
from channels.ranges import EsnoDb, Range
from channels.units import rho_to_uses
from scmc_comm.ranges import ControlBits, Rho, check_options

MEAN_SNR, CHANNEL_LAW = "esno_db", "channel"
SIDE_INFORMATION = frozenset({MEAN_SNR, CHANNEL_LAW})
"""What a transmitter can know of the point it sends at: the mean Es/N0, and the channel's law."""


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
        control_bits: Bits a frame of control information that the budget has to carry too, see
            `scmc_comm.link.control`.
        reserved_uses: Channel uses kept back for them.

    Example:
        >>> Budget(1 / 48, 10.0).uses((256, 256))
        4096
        >>> budget = Budget(1 / 48, 10.0, phy="ofdm")
        >>> budget.uses((256, 256)), budget.all_uses((256, 256))
        (3888, 4096)
    """

    rho: Rho
    design_esno_db: EsnoDb
    channel: str = "awgn"
    utility: str = "psnr_db"
    phy: str = "flat"
    control_bits: ControlBits = 0
    reserved_uses: Annotated[int, Range(0, 2**63 - 1)] = 0

    def __post_init__(self) -> None:
        check_options(self)

    def uses(self, size: tuple[int, int]) -> int:
        """Complex channel uses for the data of an image of ``(H, W)``: no pilots, no control."""
        return data_uses(self.phy, max(0, self.all_uses(size) - self.reserved_uses))

    def all_uses(self, size: tuple[int, int]) -> int:
        """Complex channel uses for an image of ``(H, W)``, pilots included."""
        return rho_to_uses(self.rho, size)


@dataclass(frozen=True)
class Design:
    """What a sender assumes of its link.

    A sender always knows how many channel uses its link leaves to data: ``phy`` is the link where
    it knows the channel's law, else the least that says so (`channels.phy.names.pilot_layout`).

    Attributes:
        channel: The channel's law, by name and parameters.
        esno_db: Mean Es/N0 in dB.
        phy: The link.
    """

    channel: str
    esno_db: float
    phy: str = "flat"

    def budget(self, rho: float, utility: str = Budget.utility, control_bits: int = 0) -> Budget:
        """What may be spent at a bandwidth ratio by a sender that assumes this."""
        return Budget(rho, self.esno_db, self.channel, utility, self.phy, control_bits)


def design_for(
    side_information: Set[str], channel: str, esno_db: float, phy: str, design_esno_db: float
) -> Design:
    """What a sender with this transmitter side information assumes at a point.

    Of what it does not know it assumes an AWGN channel and the stated design Es/N0.

    Args:
        side_information: Of the system, out of `SIDE_INFORMATION`.
        channel: The point's channel.
        esno_db: Its mean Es/N0 in dB.
        phy: Its link.
        design_esno_db: Mean Es/N0 in dB for senders who do not know it.

    Example:
        >>> design_for(frozenset(), "rayleigh_block", 4.0, "flat", 10.0)
        Design(channel='awgn', esno_db=10.0, phy='flat')
        >>> design_for(SIDE_INFORMATION, "rayleigh_block", 4.0, "flat", 10.0).channel
        'rayleigh_block'
    """
    knows_law = CHANNEL_LAW in side_information
    return Design(
        channel if knows_law else Budget.channel,
        esno_db if MEAN_SNR in side_information else design_esno_db,
        phy if knows_law else pilot_layout(phy),
    )
