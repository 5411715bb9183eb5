"""The OFDM resource grid: what is a channel use, which of them are pilots, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Protocol, runtime_checkable

import torch

from channels.errors import ChannelError
from channels.ranges import Range
from channels.rng import generator
from channels.specs import check_values

SYMBOLS_PER_SLOT = 14
SUBCARRIERS_PER_BLOCK = 12
# The estimator's matrices grow with the square of the width; at this one they have 80 MB.
MAX_SUBCARRIERS = 1200
# Symbols of a slot that carry pilots: 3GPP TS 38.211, table 7.4.1.1.2-3, mapping type A.
PILOT_SYMBOLS = {1: (2,), 2: (2, 11), 3: (2, 7, 11), 4: (2, 5, 8, 11)}
MAX_DOPPLER_SHARE = 0.05


@runtime_checkable
class GridChannel(Protocol):
    """A channel that is also defined over time, frequency and antennas."""

    def draw_grid(
        self, grid: OfdmGrid, num_symbols: int, num_rx: int, num_tx: int, seeds: Sequence[int]
    ) -> torch.Tensor:
        """Draws the gain of each resource element.

        Args:
            grid: The resource grid.
            num_symbols: OFDM symbols.
            num_rx: Receive antennas.
            num_tx: Transmit antennas.
            seeds: One seed per trial.

        Returns:
            complex64 [len(seeds), num_rx, num_tx, num_symbols, num_subcarriers], each with
            E|h|^2 = 1.
        """
        ...


@runtime_checkable
class StationaryChannel(Protocol):
    """A channel whose second-order statistics a receiver can know."""

    def __hash__(self) -> int: ...

    def correlation(self, time_s: torch.Tensor, freq_hz: torch.Tensor) -> torch.Tensor:
        """E h(t + time_s, f + freq_hz) h*(t, f), broadcast over both arguments, 1 at (0, 0)."""
        ...


@dataclass(frozen=True)
class OfdmGrid:
    """A 5G-like grid: slots of 14 OFDM symbols, resource blocks of 12 subcarriers.

    A channel use is a resource element. Data fill the elements that are free of pilots symbol by
    symbol, from the lowest subcarrier up. Each transmit antenna has pilots of its own on every
    `pilot_spacing`-th subcarrier of the pilot symbols; the other antennas are silent there. The
    cyclic prefix costs time (`symbol_s` includes it), not channel uses.

    Attributes:
        num_subcarriers: Width, a multiple of 12.
        subcarrier_spacing_hz: Distance between subcarriers; 15e3, 30e3, 60e3 or 120e3 in 5G.
        num_pilot_symbols: OFDM symbols of a slot that carry pilots, 1 to 4.
        pilot_spacing: Subcarriers from one pilot of an antenna to the next; it divides
            num_subcarriers.

    Source: 3GPP TS 38.211, 4.2 and 4.3 (numerology, frame), 7.4.1.1 (positions of pilot symbols).

    >>> grid = OfdmGrid()
    >>> grid.data_per_slot(1), grid.pilots_per_slot(1), grid.pilot_uses(2000, 1)
    (1944, 72, 144)
    """

    num_subcarriers: Annotated[int, Range(SUBCARRIERS_PER_BLOCK, MAX_SUBCARRIERS)] = 144
    subcarrier_spacing_hz: Annotated[float, Range(0, 1e10, open_low=True)] = 15e3
    num_pilot_symbols: Annotated[int, Range(min(PILOT_SYMBOLS), max(PILOT_SYMBOLS))] = 2
    pilot_spacing: Annotated[int, Range(1, MAX_SUBCARRIERS)] = 4

    def __post_init__(self) -> None:
        width, spacing = self.num_subcarriers, self.pilot_spacing
        check_values(self)
        if width % SUBCARRIERS_PER_BLOCK:
            raise ChannelError(
                f"num_subcarriers is {width}; expected a multiple of {SUBCARRIERS_PER_BLOCK} from "
                f"{SUBCARRIERS_PER_BLOCK} to {MAX_SUBCARRIERS}"
            )
        if width % spacing:
            raise ChannelError(
                f"pilot_spacing is {spacing}; expected a divisor of num_subcarriers, {width}"
            )

    @property
    def symbol_s(self) -> float:
        """Time from one OFDM symbol to the next, cyclic prefix included: 1/14 of a slot."""
        return 15.0 / 14.0 / self.subcarrier_spacing_hz

    @property
    def cyclic_prefix_s(self) -> float:
        """Length of the shortest cyclic prefix (normal prefix: 144 of 2048 samples)."""
        return 144.0 / 2048.0 / self.subcarrier_spacing_hz

    @property
    def frequencies_hz(self) -> torch.Tensor:
        """Subcarriers relative to the carrier, float64 [num_subcarriers]."""
        index = torch.arange(self.num_subcarriers, dtype=torch.float64) - self.num_subcarriers // 2
        return index * self.subcarrier_spacing_hz

    def pilot_positions(self, tx: int, num_tx: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Where an antenna has its pilots: the symbols of a slot [a], and the subcarriers [b]."""
        self._check_antennas(num_tx)
        symbols = torch.tensor(PILOT_SYMBOLS[self.num_pilot_symbols])
        return symbols, torch.arange(tx, self.num_subcarriers, self.pilot_spacing)

    def pilot_index(self, tx: int, num_tx: int) -> torch.Tensor:
        """Elements of a slot that hold an antenna's pilots, int64 [num_pilots], symbol-major."""
        symbols, subcarriers = self.pilot_positions(tx, num_tx)
        return (symbols[:, None] * self.num_subcarriers + subcarriers).flatten()

    def data_positions(self, num_tx: int) -> torch.Tensor:
        """Data elements of a slot in sending order, int64 [data_per_slot], symbol-major."""
        free = torch.ones(SYMBOLS_PER_SLOT, self.num_subcarriers, dtype=torch.bool)
        for tx in range(num_tx):
            free.view(-1)[self.pilot_index(tx, num_tx)] = False
        return free.flatten().nonzero().flatten()

    def pilots_per_slot(self, num_tx: int) -> int:
        """Resource elements of a slot that all antennas' pilots take."""
        self._check_antennas(num_tx)
        return num_tx * self.num_pilot_symbols * self.num_subcarriers // self.pilot_spacing

    def data_per_slot(self, num_tx: int) -> int:
        """Resource elements of a slot that are left for data."""
        return SYMBOLS_PER_SLOT * self.num_subcarriers - self.pilots_per_slot(num_tx)

    def num_slots(self, num_data: int, num_tx: int) -> int:
        """Slots that `num_data` data elements begin."""
        return -(-num_data // self.data_per_slot(num_tx))

    def pilot_uses(self, num_data: int, num_tx: int) -> int:
        """Channel uses that go to pilots with `num_data` data uses: those of all slots begun.

        The rest of the last slot stays free for others and is not charged.
        """
        return self.num_slots(num_data, num_tx) * self.pilots_per_slot(num_tx)

    def data_uses(self, num_uses: int, num_tx: int) -> int:
        """Most data uses that fit into `num_uses` together with their pilots.

        >>> OfdmGrid().data_uses(4096, 1)
        3888
        """
        pilots, data = self.pilots_per_slot(num_tx), self.data_per_slot(num_tx)
        slots, rest = divmod(num_uses, pilots + data)
        return slots * data + max(0, rest - pilots)

    def data_gains(self, h: torch.Tensor, num_data: int, num_tx: int) -> torch.Tensor:
        """Picks the data elements, in sending order.

        Args:
            h: [..., num_slots * 14, num_subcarriers].
            num_data: How many.
            num_tx: Transmit antennas, whose pilots are left out.

        Returns:
            [..., num_data].
        """
        slots = h.unflatten(-2, (-1, SYMBOLS_PER_SLOT)).flatten(-2)
        return slots[..., self.data_positions(num_tx)].flatten(-2)[..., :num_data]

    def check_doppler(self, doppler_hz: float) -> None:
        """Refuses a channel that turns within one OFDM symbol, which the gains do not model."""
        if doppler_hz > MAX_DOPPLER_SHARE * self.subcarrier_spacing_hz:
            raise ChannelError(
                f"a Doppler shift of {doppler_hz:.4g} Hz is more than {MAX_DOPPLER_SHARE:.0%} of "
                f"the subcarrier spacing, {self.subcarrier_spacing_hz:.4g} Hz; lower speed_kmh or "
                "carrier_hz, or raise subcarrier_spacing_hz"
            )

    def same_for_all(self, h: torch.Tensor, num_rx: int, num_tx: int) -> torch.Tensor:
        """Gains in the order of the grid [b, n] as those of every antenna pair."""
        check_links(num_rx, num_tx)
        h = h.unflatten(1, (-1, self.num_subcarriers))
        return h[:, None, None].expand(-1, num_rx, num_tx, -1, -1)

    def _check_antennas(self, num_tx: int) -> None:
        if not 1 <= num_tx <= self.pilot_spacing:
            raise ChannelError(
                f"{num_tx} transmit antennas do not fit a pilot_spacing of {self.pilot_spacing}; "
                "expected a spacing of at least the number of antennas"
            )


def check_links(num_rx: int, num_tx: int) -> None:
    """Refuses antenna numbers that no receiver here has."""
    if num_rx not in (1, 2) or num_tx not in (1, 2):
        raise ChannelError(f"got {num_tx} x {num_rx} antennas; expected 1 or 2 at each end")


def draw_default_grid(channel: GridChannel, num_symbols: int, seeds: Sequence[int]) -> torch.Tensor:
    """Gains of the data elements of the default grid, complex64 [len(seeds), num_symbols].

    They make a channel over a grid one of `channels.fading.models.Channel`: the receiver knows
    them, no pilots are charged. `channels.phy.ofdm.OfdmPhy` has grids, pilots and estimation.
    """
    grid = OfdmGrid()
    ofdm_symbols = grid.num_slots(max(num_symbols, 1), 1) * SYMBOLS_PER_SLOT
    h = channel.draw_grid(grid, ofdm_symbols, 1, 1, seeds)
    return grid.data_gains(h, num_symbols, 1)[:, 0, 0]


@lru_cache(maxsize=16)
def pilot_symbols(grid: OfdmGrid, tx: int, num_tx: int) -> torch.Tensor:
    """QPSK pilots of an antenna for a slot, known to both ends, complex64 [num_pilots]."""
    num = grid.pilots_per_slot(num_tx) // num_tx
    quarter = torch.randint(4, (num,), generator=generator(0, "pilots", tx))
    return torch.polar(torch.ones(num), (2 * quarter + 1) * (math.pi / 4))
