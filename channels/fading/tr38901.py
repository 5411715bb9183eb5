"""TDL and CDL channels of 3GPP TR 38.901, drawn by Sionna, over an OFDM grid."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import torch

from channels.errors import ChannelError
from channels.fading.clarke import clarke_correlation
from channels.fading.draws import check_size, child_seed
from channels.ofdm.grid import OfdmGrid, check_links, draw_default_grid
from channels.ranges import Range, SpeedKmh
from channels.rng import preserve_torch_rng, sionna_seed
from channels.specs import Component, check_values
from channels.types import ChannelState
from channels.units import esno_db_to_no, kmh_to_mps, max_doppler_hz

MODELS = ("A", "B", "C", "D", "E")
DelaySpread = Annotated[float, Range(0, 1e-3)]
Carrier = Annotated[float, Range(0.5e9, 100e9)]
"""Where TR 38.901 holds."""
# Sionna draws from one generator for the whole process.
_SIONNA = threading.Lock()
# Power that may arrive after the cyclic prefix, where the model's gains would not be the truth.
MAX_LATE_POWER = 0.01


@dataclass(frozen=True)
class _Profile:
    """Taps of a model, scaled: delays float64 [taps] in s, powers float64 [taps], sum 1."""

    delays_s: torch.Tensor
    powers: torch.Tensor
    los_power: float
    los_doppler_share: float


class _DelayLine(Component):
    """What the two kinds of delay line have in common."""

    model: str
    delay_spread_s: DelaySpread
    speed_kmh: SpeedKmh
    carrier_hz: Carrier

    def __post_init__(self) -> None:
        kind = self.word()
        if self.model not in MODELS:
            raise ChannelError(
                f"{kind} model is {self.model!r}; expected one of {', '.join(MODELS)}"
            )
        check_values(self)

    @property
    def doppler_hz(self) -> float:
        """Largest Doppler shift."""
        return max_doppler_hz(kmh_to_mps(self.speed_kmh), self.carrier_hz)

    @property
    def delays_s(self) -> torch.Tensor:
        """Delays of the taps, float64 [taps]."""
        return _profile(self.word(), self.model, self.delay_spread_s).delays_s

    @property
    def powers(self) -> torch.Tensor:
        """Mean powers of the taps, float64 [taps], sum 1."""
        return _profile(self.word(), self.model, self.delay_spread_s).powers

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """See `channels.fading.models.Channel.draw`.

        The gains are those of `channels.ofdm.grid.draw_default_grid`.
        """
        check_size(num_symbols, seeds)
        return ChannelState(draw_default_grid(self, num_symbols, seeds), esno_db_to_no(esno_db))

    def draw_grid(
        self, grid: OfdmGrid, num_symbols: int, num_rx: int, num_tx: int, seeds: Sequence[int]
    ) -> torch.Tensor:
        """See `channels.ofdm.grid.GridChannel.draw_grid`."""
        check_size(num_symbols, seeds)
        check_links(num_rx, num_tx)
        grid.check_doppler(self.doppler_hz)
        self._check_prefix(grid)
        delays = _profile(self.word(), self.model, self.delay_spread_s).delays_s
        turn = -2 * math.pi * delays[:, None] * grid.frequencies_hz
        spectrum = torch.polar(torch.ones_like(turn), turn)
        h = torch.empty(
            len(seeds), num_rx, num_tx, num_symbols, grid.num_subcarriers, dtype=torch.complex64
        )
        with _SIONNA:
            line = _line(self, num_rx, num_tx)
        for row, seed in enumerate(seeds):
            with _SIONNA, sionna_seed(child_seed(seed, self.word())):
                taps, _ = line(1, num_symbols, 1.0 / grid.symbol_s)
            h[row] = (taps[0, 0, :, 0].transpose(-1, -2) @ spectrum).to(torch.complex64)
        return h

    def correlation(self, time_s: torch.Tensor, freq_hz: torch.Tensor) -> torch.Tensor:
        """See `channels.ofdm.grid.GridChannel.correlation`.

        The scattered taps have Clarke's correlation in time; for CDL, whose Doppler depends on
        its angles, that is what a receiver would assume.
        """
        profile = _profile(self.word(), self.model, self.delay_spread_s)
        scattered = profile.powers.clone()
        scattered[0] -= profile.los_power
        turn = -2 * math.pi * freq_hz[..., None] * profile.delays_s
        in_freq = (torch.polar(torch.ones_like(turn), turn) * scattered).sum(-1)
        los_turn = 2 * math.pi * profile.los_doppler_share * self.doppler_hz * time_s
        line_of_sight = profile.los_power * torch.polar(torch.ones_like(los_turn), los_turn)
        return clarke_correlation(self.doppler_hz, time_s) * in_freq + line_of_sight

    def _check_prefix(self, grid: OfdmGrid) -> None:
        late = float(self.powers[self.delays_s > grid.cyclic_prefix_s].sum())
        if late > MAX_LATE_POWER:
            raise ChannelError(
                f"{late:.1%} of the power of {self.name} arrives after the cyclic prefix of "
                f"{grid.cyclic_prefix_s:.3g} s; expected at most {MAX_LATE_POWER:.0%}; lower "
                "delay_spread_s or subcarrier_spacing_hz"
            )


@dataclass(frozen=True)
class Tdl(_DelayLine):
    """Tapped delay line: taps of the standard's profile, each fading by Clarke's spectrum.

    A to C have no line of sight, D and E a Rician first tap. Antennas fade independently.

    Attributes:
        model: Profile, A to E.
        delay_spread_s: RMS delay spread that the profile is scaled to.
        speed_kmh: Speed of the receiver.
        carrier_hz: Carrier frequency, 0.5e9 to 100e9.

    Source: 3GPP TR 38.901, 7.7.2 (tables 7.7.2-1 to -5) and 7.7.3, as in Sionna.

    >>> Tdl("A").draw(10, esno_db=10.0, seeds=[1, 2]).h.shape
    torch.Size([2, 10])
    """

    model: str = "C"
    delay_spread_s: DelaySpread = 1e-7
    speed_kmh: SpeedKmh = 3.0
    carrier_hz: Carrier = 3.5e9


@dataclass(frozen=True)
class Cdl(_DelayLine):
    """Clustered delay line: rays with angles, so that antennas are correlated.

    Both ends have vertically polarised omnidirectional antennas half a wavelength apart.

    Attributes:
        model: Profile, A to E; D and E have a line of sight.
        delay_spread_s: RMS delay spread that the profile is scaled to.
        speed_kmh: Speed of the receiver, in a random direction.
        carrier_hz: Carrier frequency, 0.5e9 to 100e9.

    Source: 3GPP TR 38.901, 7.7.1 (tables 7.7.1-1 to -5) and 7.7.3, as in Sionna.
    """

    model: str = "C"
    delay_spread_s: DelaySpread = 1e-7
    speed_kmh: SpeedKmh = 3.0
    carrier_hz: Carrier = 3.5e9


@lru_cache(maxsize=32)
def _line(channel: Tdl | Cdl, num_rx: int, num_tx: int) -> Any:
    """Sionna's model of a channel; calling it draws impulse responses."""
    speed = kmh_to_mps(channel.speed_kmh)
    with preserve_torch_rng():
        from sionna.phy.channel import tr38901

        if isinstance(channel, Tdl):
            return tr38901.TDL(
                channel.model,
                channel.delay_spread_s,
                channel.carrier_hz,
                min_speed=speed,
                num_rx_ant=num_rx,
                num_tx_ant=num_tx,
                precision="double",
                device="cpu",
            )
        rx_array, tx_array = (
            tr38901.PanelArray(
                num_rows_per_panel=1,
                num_cols_per_panel=num,
                polarization="single",
                polarization_type="V",
                antenna_pattern="omni",
                carrier_frequency=channel.carrier_hz,
                precision="double",
                device="cpu",
            )
            for num in (num_rx, num_tx)
        )
        return tr38901.CDL(
            channel.model,
            channel.delay_spread_s,
            channel.carrier_hz,
            ut_array=rx_array,
            bs_array=tx_array,
            direction="downlink",
            min_speed=speed,
            max_speed=speed,
            precision="double",
            device="cpu",
        )


@lru_cache(maxsize=64)
def _profile(kind: str, model: str, delay_spread_s: float) -> _Profile:
    """The standard's table, from Sionna, scaled to a delay spread."""
    with _SIONNA, preserve_torch_rng():
        from sionna.phy.channel.tr38901 import models

    table = models.load_json(models.parameter_file(f"{kind.upper()}-{model}.json", "19.2"))
    powers = 10.0 ** (torch.tensor(table["powers"], dtype=torch.float64) / 10.0)
    powers = powers / powers.sum()
    delays = torch.tensor(table["delays"], dtype=torch.float64) * delay_spread_s
    if not table["los"]:
        return _Profile(delays, powers, 0.0, 0.0)
    # The first two entries are the specular and the scattered part of the first tap.
    los_power = float(powers[0])
    powers = torch.cat([powers[:2].sum().reshape(1), powers[2:]])
    return _Profile(delays[1:], powers, los_power, 0.7)
