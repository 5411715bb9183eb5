"""Bursts of loss by a Markov chain of good and bad blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from channels.errors import ChannelError
from channels.fading.draws import check_size, uniform, with_random_phase
from channels.ofdm.grid import OfdmGrid
from channels.ranges import CoherenceSymbols, Range
from channels.specs import Component, check_values
from channels.types import ChannelState
from channels.units import db_to_lin, esno_db_to_no


@dataclass(frozen=True)
class GilbertElliott(Component):
    """Bursts of loss: a Markov chain of good and bad blocks, no other fading.

    Attributes:
        bad_fraction: Share of blocks that are bad, in the mean.
        mean_burst_blocks: Mean length of a run of bad blocks.
        bad_db: Power of a bad block relative to a good one; the mean power is 1.
        coherence_symbols: Channel uses per block, for example those of a packet.

    Source: E. N. Gilbert, Bell Syst. Tech. J. 39, 1960; E. O. Elliott, ibid. 42, 1963.

    >>> h = GilbertElliott(bad_db=-20.0).draw(6400, esno_db=10.0, seeds=[1]).h
    >>> len(h.abs().unique())
    2
    """

    bad_fraction: Annotated[float, Range(0, 1, open_low=True, open_high=True)] = 0.1
    mean_burst_blocks: Annotated[float, Range(1, 1e9)] = 4.0
    bad_db: Annotated[float, Range(-100, 0)] = -20.0
    coherence_symbols: CoherenceSymbols = 64

    def __post_init__(self) -> None:
        check_values(self)
        # Independent blocks have runs of this mean length; shorter ones would alternate.
        shortest = 1.0 / (1.0 - self.bad_fraction)
        if not shortest <= self.mean_burst_blocks:
            raise ChannelError(
                f"mean_burst_blocks is {self.mean_burst_blocks}; expected at least "
                f"{shortest:.4g} for a bad_fraction of {self.bad_fraction}"
            )

    @property
    def _to_good(self) -> float:
        return 1.0 / self.mean_burst_blocks

    @property
    def _to_bad(self) -> float:
        return self._to_good * self.bad_fraction / (1.0 - self.bad_fraction)

    def bad_blocks(self, num_blocks: int, seeds: Sequence[int]) -> np.ndarray:
        """Where the chain is bad, bool [len(seeds), num_blocks]; it starts in its steady state."""
        u = uniform(num_blocks, seeds, "burst").numpy()
        # One number decides each step: small ones lead to bad from either state, large ones to
        # good, the others keep the state. So the state is that of the last decisive number.
        decided_bad, decided_good = u < self._to_bad, u >= 1.0 - self._to_good
        decided_bad[:, 0] = u[:, 0] < self.bad_fraction
        decided_good[:, 0] = ~decided_bad[:, 0]
        step = np.arange(u.shape[1])
        last = np.maximum.accumulate(np.where(decided_bad | decided_good, step, 0), axis=1)
        bad: np.ndarray = np.take_along_axis(decided_bad, last, axis=1)
        return bad

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """See `channels.fading.models.Channel.draw`."""
        check_size(num_symbols, seeds)
        bad_power = db_to_lin(self.bad_db)
        good_power = 1.0 / (1.0 - self.bad_fraction * (1.0 - bad_power))
        bad = torch.as_tensor(self.bad_blocks(-(-num_symbols // self.coherence_symbols), seeds))
        amplitude = torch.where(bad, math.sqrt(good_power * bad_power), math.sqrt(good_power))
        h = with_random_phase(amplitude, seeds).repeat_interleave(self.coherence_symbols, dim=1)
        return ChannelState(h=h[:, :num_symbols], no=esno_db_to_no(esno_db))

    def draw_grid(
        self, grid: OfdmGrid, num_symbols: int, num_rx: int, num_tx: int, seeds: Sequence[int]
    ) -> torch.Tensor:
        """See `channels.ofdm.grid.GridChannel.draw_grid`; a burst hits all antennas alike."""
        h = self.draw(num_symbols * grid.num_subcarriers, 0.0, seeds).h
        return grid.same_for_all(h, num_rx, num_tx)
