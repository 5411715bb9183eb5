"""An OFDM link as a flat channel, for links that are abstracted by their SNR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from channels.models import Channel
from channels.ofdm import OfdmPhy
from channels.types import ChannelState
from channels.units import esno_db_to_no

_MIN_NO = 1e-10  # 100 dB of Es/N0, as in the equaliser


@dataclass(frozen=True)
class EquivalentChannel:
    """The flat channel whose SNR in each use is the OFDM link's after equalisation.

    Its pilots must be charged besides: see `OfdmGrid.pilot_uses`.

    Attributes:
        phy: The link: antennas, grid, knowledge of the channel, impairments.
        channel: What it runs over.

    >>> from channels.models import Awgn
    >>> state = EquivalentChannel(OfdmPhy(antennas="1x2"), Awgn()).draw(10, 0.0, seeds=[1])
    >>> round(state.h.abs().square().mean().item(), 3), state.no  # two antennas, twice the SNR
    (2.0, 1.0)
    """

    phy: OfdmPhy
    channel: Channel

    @property
    def name(self) -> str:
        """That of the channel."""
        return self.channel.name

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """See `channels.models.Channel.draw`; the mean of |h|^2 is the gain of the link."""
        no = max(esno_db_to_no(esno_db), _MIN_NO)
        ones = torch.ones(num_symbols)
        points = ones.to(torch.complex64)
        parts = [
            self.phy.pass_symbols(points, ones, self.channel, esno_db, seeds[rows]).sinr
            for rows in self.phy.chunks(num_symbols, len(seeds))
        ]
        return ChannelState(h=(torch.cat(parts) * no).sqrt().to(torch.complex64), no=no)
