"""Rayleigh fading in time with Clarke's (Jakes') Doppler spectrum, for flat and timed links."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from channels.fading.draws import check_size
from channels.ofdm.grid import OfdmGrid, check_links
from channels.ranges import CarrierHz, SpeedKmh, SymbolRateHz
from channels.rng import generator
from channels.specs import Component, check_values
from channels.types import ChannelState
from channels.units import esno_db_to_no, kmh_to_mps, max_doppler_hz

# Waves that make up a Clarke gain. The gain is Gaussian for any number of them; this one makes
# even a single long trial's autocorrelation close to J0.
_NUM_WAVES = 32
_TIME_CHUNK = 1024


@dataclass(frozen=True)
class PlaneWaves:
    """The waves of one trial: the gain is the sum of ``amplitude * exp(1j * rate * t)``.

    Attributes:
        rates: Rotation in rad/s, float64 [num_waves].
        amplitudes: complex128 [num_links, num_waves].
    """

    rates: np.ndarray
    amplitudes: np.ndarray

    def gain(self, time_s: float) -> complex:
        """Gain of the first link at any time."""
        return complex(self.amplitudes[0] @ np.exp(1j * (time_s * self.rates)))


def draw_waves(doppler_hz: float, seed: int, num_links: int = 1) -> PlaneWaves:
    """Waves whose angles of arrival are spread evenly and jittered, with Gaussian amplitudes.

    Args:
        doppler_hz: Largest Doppler shift.
        seed: Of the trial.
        num_links: Independent gains (antenna pairs); the first are the same for any number.
    """
    gen = generator(seed, "clarke")
    jitter = torch.rand(_NUM_WAVES, generator=gen, dtype=torch.float64)
    angle = (torch.arange(_NUM_WAVES) + jitter) * (2 * math.pi / _NUM_WAVES)
    parts = [
        torch.randn(_NUM_WAVES, 2, generator=gen, dtype=torch.float64) for _ in range(num_links)
    ]
    amplitudes = torch.view_as_complex(torch.stack(parts)) * math.sqrt(0.5 / _NUM_WAVES)
    rates = 2 * math.pi * doppler_hz * torch.cos(angle)
    return PlaneWaves(rates.numpy(), amplitudes.numpy())


def draw_steady_waves(doppler_hz: float, seed: int) -> PlaneWaves:
    """Waves of equal amplitude and random phase, whose mean power over time is 1 in every trial.

    For a gain that is followed over many fades, such as that of a timed link: a trial with
    Gaussian amplitudes would be better or worse than the mean throughout. Over trials the gain is
    Rayleigh but for the finite number of waves.

    Args:
        doppler_hz: Largest Doppler shift.
        seed: Of the trial.

    Source: C. S. Patel, G. L. Stuber, T. G. Pratt, IEEE Trans. Commun. 53(6), 2005.
    """
    draws = torch.rand(_NUM_WAVES + 1, generator=generator(seed, "clarke"), dtype=torch.float64)
    rotation, phases = draws.numpy()[0], 2 * np.pi * draws.numpy()[1:]
    angles = 2 * np.pi * (np.arange(_NUM_WAVES) + rotation) / _NUM_WAVES
    amplitudes = np.exp(1j * phases[None]) / math.sqrt(_NUM_WAVES)
    return PlaneWaves(2 * np.pi * doppler_hz * np.cos(angles), amplitudes)


@dataclass(frozen=True)
class Clarke(Component):
    """Flat Rayleigh fading in time, with Clarke's (Jakes') Doppler spectrum.

    The gain is a sum of waves of complex Gaussian amplitude whose angles of arrival are spread
    evenly and jittered: Rayleigh exactly, with E h(t) h*(t + s) = J0(2 pi f_d s) exactly.

    Attributes:
        speed_kmh: Speed of the receiver.
        carrier_hz: Carrier frequency; the largest Doppler shift is speed / c * carrier_hz.
        symbol_rate_hz: Channel uses per second, for a link without a grid.

    Source: R. H. Clarke, Bell Syst. Tech. J. 47, 1968; sum of sinusoids with jittered angles as
    in C. Xiao, Y. R. Zheng, N. C. Beaulieu, IEEE Trans. Wireless Commun. 5(12), 2006.

    >>> Clarke(speed_kmh=30.0).draw(100, esno_db=10.0, seeds=[1]).h.shape
    torch.Size([1, 100])
    """

    speed_kmh: SpeedKmh = 30.0
    carrier_hz: CarrierHz = 3.5e9
    symbol_rate_hz: SymbolRateHz = 1e6

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def doppler_hz(self) -> float:
        """Largest Doppler shift."""
        return max_doppler_hz(kmh_to_mps(self.speed_kmh), self.carrier_hz)

    def gains(
        self, num: int, interval_s: float, seeds: Sequence[int], num_links: int = 1
    ) -> torch.Tensor:
        """Gains at the times 0, interval_s, 2 interval_s, ...

        Args:
            num: Points in time.
            interval_s: Time between them.
            seeds: One seed per trial.
            num_links: Independent gains (antenna pairs); the first are the same for any number.

        Returns:
            complex64 [len(seeds), num_links, num].
        """
        check_size(num, seeds)
        num_chunks = -(-num // _TIME_CHUNK)
        h = torch.empty(len(seeds), num_links, num_chunks, _TIME_CHUNK, dtype=torch.complex64)
        step = torch.arange(_TIME_CHUNK, dtype=torch.float64)[:, None] * interval_s
        for row, seed in enumerate(seeds):
            waves = draw_waves(self.doppler_hz, seed, num_links)
            rate, amplitudes = torch.from_numpy(waves.rates), torch.from_numpy(waves.amplitudes)
            turn = step * rate
            wave = torch.polar(torch.ones_like(turn), turn)
            for i in range(num_chunks):
                start = i * _TIME_CHUNK * interval_s
                turned = amplitudes * torch.polar(torch.ones_like(rate), rate * start)
                h[row, :, i] = (turned @ wave.T).to(torch.complex64)
        return h.flatten(2)[:, :, :num]

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """See `channels.fading.models.Channel.draw`."""
        h = self.gains(num_symbols, 1.0 / self.symbol_rate_hz, seeds)[:, 0]
        return ChannelState(h=h, no=esno_db_to_no(esno_db))

    def draw_grid(
        self, grid: OfdmGrid, num_symbols: int, num_rx: int, num_tx: int, seeds: Sequence[int]
    ) -> torch.Tensor:
        """See `channels.ofdm.grid.GridChannel.draw_grid`."""
        check_links(num_rx, num_tx)
        grid.check_doppler(self.doppler_hz)
        h = self.gains(num_symbols, grid.symbol_s, seeds, num_rx * num_tx)
        h = h.unflatten(1, (num_rx, num_tx))
        return h[..., None].expand(*h.shape, grid.num_subcarriers)

    def correlation(self, time_s: torch.Tensor, freq_hz: torch.Tensor) -> torch.Tensor:
        """See `channels.ofdm.grid.GridChannel.correlation`."""
        return clarke_correlation(self.doppler_hz, time_s) * torch.ones_like(freq_hz)


def clarke_correlation(doppler_hz: float, time_s: torch.Tensor) -> torch.Tensor:
    """E h(t) h*(t + s) = J0(2 pi f_d s)."""
    return torch.special.bessel_j0(2 * math.pi * doppler_hz * time_s)
