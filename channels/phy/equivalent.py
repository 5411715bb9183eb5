"""An OFDM link as a flat channel, for links that are abstracted by their SNR."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import torch
from cachetools import LRUCache, cached

from channels.fading.added import is_ours
from channels.fading.models import Channel
from channels.phy.ofdm import OfdmPhy
from channels.phy.table import TablePhy
from channels.types import ChannelState, Frame, LinkReport
from channels.units import esno_db_to_no

_MIN_NO = 1e-10  # 100 dB of Es/N0, as in the equaliser
DEFAULT_DRAWS = 256
_KEPT_BYTES = 512 * 2**20  # a picture of 768 x 512 at rho 1/12 takes 100 MiB an Es/N0


@dataclass(frozen=True)
class EquivalentChannel:
    """The flat channel whose SNR in each use is the OFDM link's after equalisation.

    Its pilots must be charged besides: see `OfdmGrid.pilot_uses`.

    Attributes:
        phy: The link: antennas, grid, knowledge of the channel, impairments.
        channel: What it runs over.

    >>> from channels.fading.models import Awgn
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
        """See `channels.fading.models.Channel.draw`; the mean of |h|^2 is the gain of the link."""
        no = max(esno_db_to_no(esno_db), _MIN_NO)
        whole = self.phy.whole_slots(num_symbols)
        # The draws of an expectation, which count its states, are the same at each call; a channel
        # of other people may be no value that they could be found by.
        same = isinstance(seeds, range) and is_ours(self.channel)
        drawn = _kept_sinr if same else _drawn_sinr
        sinr = drawn(self, whole, esno_db, seeds)
        return ChannelState(h=(sinr[:, :num_symbols] * no).sqrt().to(torch.complex64), no=no)


def _drawn_sinr(
    link: EquivalentChannel, num_symbols: int, esno_db: float, seeds: Sequence[int]
) -> torch.Tensor:
    parts = [
        link.phy.effective_sinr(num_symbols, link.channel, esno_db, seeds[rows])
        for rows in link.phy.chunks(num_symbols, len(seeds))
    ]
    return torch.cat(parts)


def _key(
    link: EquivalentChannel, num_symbols: int, esno_db: float, seeds: Sequence[int]
) -> Hashable:
    content = getattr(link.channel, "content_sha256", None)  # of the file that it reads
    return link, content, num_symbols, esno_db, seeds


_kept_sinr = cached(LRUCache(_KEPT_BYTES, lambda sinr: sinr.nbytes), _key, Lock())(_drawn_sinr)


class EquivalentPhy:
    """The OFDM link by block error tables: no bit is coded for a trial.

    Args:
        phy: The link.
        num_states: Draws of the channel that `expected_delivery` averages over.

    >>> import numpy as np
    >>> from channels.fading.models import Awgn
    >>> from channels.types import Frame, Mcs
    >>> frame = Frame("text", np.ones(160, np.uint8), Mcs(2, 449 / 1024))
    >>> phy = EquivalentPhy(OfdmPhy(antennas="1x2"))
    >>> report = phy.send([frame], Awgn(), 20.0, seeds=[1])
    >>> report.delivered.tolist(), (report.channel_uses - phy.phy.pilot_uses([frame])).tolist()
    ([[True]], [201])
    """

    def __init__(self, phy: OfdmPhy, num_states: int = DEFAULT_DRAWS) -> None:
        self.phy, self._tables = phy, TablePhy(num_states=num_states)
        self.send_symbols = phy.send_symbols  # what is not coded has no table: it is sent

    def send(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> LinkReport:
        """See `channels.phy.table.TablePhy.send`; the channel uses hold the pilots."""
        report = self._tables.send(frames, EquivalentChannel(self.phy, channel), esno_db, seeds)
        return replace(report, channel_uses=report.channel_uses + self.phy.pilot_uses(frames))

    def expected_delivery(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float
    ) -> dict[frozenset[str], float]:
        """See `channels.phy.table.TablePhy.expected_delivery`.

        The channel is averaged over draws of fixed seeds, not integrated exactly: a probability p
        is good to about ``sqrt(p (1 - p) / num_states)``.
        """
        flat = EquivalentChannel(self.phy, channel)
        return self._tables.expected_delivery(frames, flat, esno_db)
