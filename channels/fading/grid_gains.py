"""Any channel on a resource grid, and what a receiver may know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from channels.errors import ChannelError
from channels.fading.added import check_gains, draw
from channels.fading.block import BlockFading
from channels.fading.draws import child_seed
from channels.fading.models import Channel
from channels.ofdm.grid import GridChannel, OfdmGrid, StationaryChannel


@dataclass(frozen=True)
class _Unchanging:
    """Statistics of a gain that is one over a whole transmission."""

    def correlation(self, time_s: torch.Tensor, freq_hz: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(time_s * freq_hz)


def statistics_of(channel: Channel) -> StationaryChannel:
    """The second-order statistics that a receiver may know of a channel."""
    if isinstance(channel, StationaryChannel):
        return channel
    if isinstance(channel, BlockFading) and channel.coherence_symbols is None:
        return _Unchanging()
    raise ChannelError(
        f"csi=lmmse needs the correlation of {channel.name!r} over time and frequency, which is "
        "not defined; use csi=ls"
    )


def grid_gains(
    channel: Channel,
    grid: OfdmGrid,
    num_symbols: int,
    num_rx: int,
    num_tx: int,
    seeds: Sequence[int],
) -> torch.Tensor:
    """Gains of every resource element, as `GridChannel.draw_grid`.

    A channel that knows no grid gives its gains to the elements in their order, symbol by symbol;
    its antennas fade independently, the first pair as without further antennas.
    """
    if isinstance(channel, GridChannel):
        h = channel.draw_grid(grid, num_symbols, num_rx, num_tx, seeds)
        check_gains(channel, h, (len(seeds), num_rx, num_tx, num_symbols, grid.num_subcarriers))
        return h
    links = []
    for link in range(num_rx * num_tx):
        own = seeds if link == 0 else [child_seed(seed, "antennas", link) for seed in seeds]
        links.append(draw(channel, num_symbols * grid.num_subcarriers, 0.0, own).h)
    return torch.stack(links, 1).reshape(len(seeds), num_rx, num_tx, num_symbols, -1)
