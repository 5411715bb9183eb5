"""Flat fading beyond Rayleigh and Rice: Nakagami blocks, Clarke's Doppler, Gilbert-Elliott bursts.

As for every channel, E|h|^2 = 1 and a trial's gains are a function of its seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special

from channels.errors import ChannelError
from channels.fading.block import BlockFading
from channels.fading.draws import check_coherence, check_size, hold_blocks, uniform
from channels.ofdm.grid import OfdmGrid, check_links
from channels.rng import generator
from channels.specs import spec_of
from channels.types import ChannelState
from channels.units import db_to_lin, esno_db_to_no, max_doppler_hz

# Waves that make up a Clarke gain. The gain is Gaussian for any number of them; this one makes
# even a single long trial's autocorrelation close to J0.
_NUM_WAVES = 32
_TIME_CHUNK = 1024


@dataclass(frozen=True)
class NakagamiBlock(BlockFading):
    """Nakagami-m block fading: |h|^2 is Gamma(m, 1/m), the phase uniform.

    The gain is that of `RayleighBlock` with its amplitude mapped, so at m = 1 the two are the
    same and a deep fade stays one at every m.

    Attributes:
        m: Shape; 1 is Rayleigh, 0.5 one-sided Gaussian, large values approach no fading.
        coherence_symbols: Channel uses per block; None for one fade over the transmission.

    Source: M. Nakagami, "The m-distribution", in Statistical Methods in Radio Wave Propagation,
    1960; quantile mapping of the amplitude.

    >>> NakagamiBlock(2.0, 4).draw(8, esno_db=10.0, seeds=[1, 2]).h.shape
    torch.Size([2, 8])
    """

    m: float = 2.0
    coherence_symbols: int | None = None

    def __post_init__(self) -> None:
        check_coherence(self.coherence_symbols)
        if not 0.5 <= self.m <= 1e4:
            raise ChannelError(f"m is {self.m}; expected 0.5 to 1e4; use awgn for no fading")

    @property
    def name(self) -> str:
        """``"nakagami_block"`` with its parameters."""
        return spec_of("nakagami_block", self)

    def gains_of(self, scattered: np.ndarray) -> np.ndarray:
        """See `BlockFading.gains_of`."""
        # P(power > x) is exp(-x) for Rayleigh; find the power of the same rank for Nakagami.
        rayleigh = np.abs(scattered).astype(np.float64)
        amplitude = np.sqrt(special.gammainccinv(self.m, np.exp(-(rayleigh**2))) / self.m)
        gains: np.ndarray = scattered * (amplitude / np.maximum(rayleigh, 1e-30))
        return gains

    def power_cdf(self, power: np.ndarray) -> np.ndarray:
        """P(|h|^2 <= power): the regularised gamma function."""
        probability: np.ndarray = special.gammainc(self.m, self.m * np.asarray(power))
        return probability


@dataclass(frozen=True)
class Clarke:
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

    speed_kmh: float = 30.0
    carrier_hz: float = 3.5e9
    symbol_rate_hz: float = 1e6

    def __post_init__(self) -> None:
        max_doppler_hz(self.speed_kmh, self.carrier_hz)
        check_rate(self.symbol_rate_hz)

    @property
    def name(self) -> str:
        """``"clarke"`` with its parameters."""
        return spec_of("clarke", self)

    @property
    def doppler_hz(self) -> float:
        """Largest Doppler shift."""
        return max_doppler_hz(self.speed_kmh, self.carrier_hz)

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
            gen = generator(seed, "clarke")
            jitter = torch.rand(_NUM_WAVES, generator=gen, dtype=torch.float64)
            angle = (torch.arange(_NUM_WAVES) + jitter) * (2 * math.pi / _NUM_WAVES)
            rate = 2 * math.pi * self.doppler_hz * torch.cos(angle)
            turn = step * rate
            wave = torch.polar(torch.ones_like(turn), turn)
            for link in range(num_links):
                parts = torch.randn(_NUM_WAVES, 2, generator=gen, dtype=torch.float64)
                amplitude = torch.view_as_complex(parts) * math.sqrt(0.5 / _NUM_WAVES)
                for i in range(num_chunks):
                    start = i * _TIME_CHUNK * interval_s
                    turned = amplitude * torch.polar(torch.ones_like(rate), rate * start)
                    h[row, link, i] = (wave @ turned).to(torch.complex64)
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


@dataclass(frozen=True)
class GilbertElliott:
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

    bad_fraction: float = 0.1
    mean_burst_blocks: float = 4.0
    bad_db: float = -20.0
    coherence_symbols: int = 64

    def __post_init__(self) -> None:
        check_coherence(self.coherence_symbols)
        if not 0.0 < self.bad_fraction < 1.0:
            raise ChannelError(
                f"bad_fraction is {self.bad_fraction}; expected a share above 0 and below 1"
            )
        if not (self.bad_db <= 0.0 and math.isfinite(self.bad_db)):
            raise ChannelError(f"bad_db is {self.bad_db}; expected 0 or less, in dB")
        # Independent blocks have runs of this mean length; shorter ones would alternate.
        shortest = 1.0 / (1.0 - self.bad_fraction)
        if not shortest <= self.mean_burst_blocks < math.inf:
            raise ChannelError(
                f"mean_burst_blocks is {self.mean_burst_blocks}; expected at least "
                f"{shortest:.4g} for a bad_fraction of {self.bad_fraction}"
            )

    @property
    def name(self) -> str:
        """``"gilbert_elliott"`` with its parameters."""
        return spec_of("gilbert_elliott", self)

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
        h = hold_blocks(with_random_phase(amplitude, seeds), num_symbols, self.coherence_symbols)
        return ChannelState(h=h, no=esno_db_to_no(esno_db))

    def draw_grid(
        self, grid: OfdmGrid, num_symbols: int, num_rx: int, num_tx: int, seeds: Sequence[int]
    ) -> torch.Tensor:
        """See `channels.ofdm.grid.GridChannel.draw_grid`; a burst hits all antennas alike."""
        h = self.draw(num_symbols * grid.num_subcarriers, 0.0, seeds).h
        return grid.same_for_all(h, num_rx, num_tx)


def with_random_phase(amplitude: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
    """Amplitudes [b, n] with one uniform phase for each trial, complex64 [b, n]."""
    phase = 2 * math.pi * uniform(1, seeds, "phase")
    return torch.polar(amplitude.to(torch.float64), phase.expand(amplitude.shape)).to(
        torch.complex64
    )


def clarke_correlation(doppler_hz: float, time_s: torch.Tensor) -> torch.Tensor:
    """E h(t) h*(t + s) = J0(2 pi f_d s)."""
    return torch.special.bessel_j0(2 * math.pi * doppler_hz * time_s)


def check_rate(symbol_rate_hz: float) -> None:
    """Refuses a rate that is no rate."""
    if not 0.0 < symbol_rate_hz < math.inf:
        raise ChannelError(
            f"symbol_rate_hz is {symbol_rate_hz}; expected channel uses per second, above 0"
        )
