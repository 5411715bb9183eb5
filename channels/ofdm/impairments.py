"""What the radio adds: carrier frequency offset, phase noise and an interferer.

Offset and phase noise turn the received waveform sample by sample. In an OFDM receiver that is a
common rotation of each OFDM symbol, which pilots can follow, and interference between its
subcarriers, which they cannot; both come out of the waveform here, not out of a formula.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch

from channels.errors import ChannelError
from channels.ofdm.grid import SYMBOLS_PER_SLOT, OfdmGrid
from channels.ranges import Decibels, Range, Share
from channels.rng import generator
from channels.specs import check_values
from channels.units import db_to_lin

MAX_OFFSET_SHARE = 0.5


@dataclass(frozen=True)
class Impairments:
    """Flaws of the radio and of its surroundings; the defaults are none.

    The interferer sends Gaussian symbols on a contiguous share of the band, in some slots. The
    receiver knows where and how strongly it is hit, and the statistics of the other flaws.

    Attributes:
        cfo_hz: Carrier frequency offset left after synchronisation.
        linewidth_hz: Phase noise: 3 dB linewidth of a free-running oscillator (Wiener phase).
        sir_db: Signal over interference where the interferer is active; inf for none.
        interferer_band: Share of the subcarriers it occupies.
        interferer_duty: Share of the slots in which it is active.

    Source: T. Pollet, M. Van Bladel, M. Moeneclaey, IEEE Trans. Commun. 43, 1995 (offset and
    Wiener phase noise in OFDM); Gaussian interference.

    >>> round(Impairments(cfo_hz=1500.0).lost_power(OfdmGrid()), 4)  # 1 - sinc(0.1)^2
    0.0325
    """

    cfo_hz: Annotated[float, Range(-1e10, 1e10)] = 0.0
    linewidth_hz: Annotated[float, Range(0, 1e10)] = 0.0
    sir_db: Decibels = math.inf
    interferer_band: Share = 1.0
    interferer_duty: Share = 1.0

    def __post_init__(self) -> None:
        check_values(self)

    def check(self, grid: OfdmGrid) -> None:
        """Refuses an offset that another subcarrier would be nearer to."""
        limit = MAX_OFFSET_SHARE * grid.subcarrier_spacing_hz
        if not abs(self.cfo_hz) < limit:
            raise ChannelError(
                f"cfo_hz is {self.cfo_hz}; expected less than half the subcarrier spacing, "
                f"{limit:g} Hz"
            )

    @property
    def turns(self) -> bool:
        """Whether the waveform's phase is disturbed."""
        return self.cfo_hz != 0.0 or self.linewidth_hz > 0.0

    def rotation(self, grid: OfdmGrid, num_symbols: int, seeds: Sequence[int]) -> torch.Tensor:
        """exp(j phase) over the useful samples of each OFDM symbol, on all receive antennas.

        Returns:
            complex64 [len(seeds), num_symbols, num_samples].
        """
        num_samples = samples_per_symbol(grid)
        step = 1.0 / (grid.subcarrier_spacing_hz * num_samples)
        prefix = grid.symbol_s - 1.0 / grid.subcarrier_spacing_hz
        time = (
            torch.arange(num_symbols, dtype=torch.float64)[:, None] * grid.symbol_s
            + torch.arange(num_samples, dtype=torch.float64) * step
        )
        phase = (2 * math.pi * self.cfo_hz * time).expand(len(seeds), -1, -1)
        if self.linewidth_hz > 0.0:
            walk = torch.empty(len(seeds), num_symbols, num_samples, dtype=torch.float64)
            for row, seed in enumerate(seeds):
                gen = generator(seed, "phase_noise")
                for symbol in range(num_symbols):
                    torch.randn(num_samples, generator=gen, out=walk[row, symbol])
            deviation = torch.full((num_samples,), step, dtype=torch.float64)
            deviation[0] += prefix
            walk *= (2 * math.pi * self.linewidth_hz * deviation).sqrt()
            phase = phase + walk.flatten(1).cumsum(1).unflatten(1, (num_symbols, num_samples))
        return torch.polar(torch.ones_like(phase), phase).to(torch.complex64)

    def lost_power(self, grid: OfdmGrid) -> float:
        """Mean share of the power that turns into interference between subcarriers.

        1 - E|mean of exp(j phase) over an OFDM symbol|^2, for both flaws together.
        """
        duration = 1.0 / grid.subcarrier_spacing_hz
        z = complex(math.pi * self.linewidth_hz, 2 * math.pi * self.cfo_hz) * duration
        if abs(z) < 1e-3:
            return z.real / 3 + z.imag**2 / 12
        return 1.0 - 2.0 * ((z - 1 + cmath.exp(-z)) / z**2).real

    def interference(self, grid: OfdmGrid, num_symbols: int, seeds: Sequence[int]) -> torch.Tensor:
        """Variance of the interferer's signal, float32 [len(seeds), num_symbols, num_subcarriers].

        It is active in a slot with probability interferer_duty, on the lowest subcarriers.
        """
        variance = torch.zeros(len(seeds), num_symbols, grid.num_subcarriers)
        if self.sir_db == math.inf:
            return variance
        width = max(1, round(self.interferer_band * grid.num_subcarriers))
        num_slots = -(-num_symbols // SYMBOLS_PER_SLOT)
        for row, seed in enumerate(seeds):
            gen = generator(seed, "interferer")
            draws = torch.stack([torch.rand(1, generator=gen)[0] for _ in range(num_slots)])
            active = (draws < self.interferer_duty).float().repeat_interleave(SYMBOLS_PER_SLOT)
            variance[row, :, :width] = active[:num_symbols, None] * db_to_lin(-self.sir_db)
        return variance

    def mean_interference(self, grid: OfdmGrid) -> float:
        """Mean over the grid of what `interference` gives."""
        if self.sir_db == math.inf:
            return 0.0
        width = max(1, round(self.interferer_band * grid.num_subcarriers))
        share = width / grid.num_subcarriers * self.interferer_duty
        return share * db_to_lin(-self.sir_db)


def samples_per_symbol(grid: OfdmGrid) -> int:
    """Size of the receiver's Fourier transform: a power of two with room beside the band."""
    return 1 << math.ceil(grid.num_subcarriers * 1.1).bit_length()


def turn_waveform(grid_values: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Turns the waveform of each OFDM symbol and transforms it back.

    Args:
        grid_values: complex64 [b, num_rx, num_symbols, num_subcarriers].
        rotation: From `Impairments.rotation`.

    Returns:
        complex64, shape of `grid_values`.
    """
    num_samples, width = rotation.shape[-1], grid_values.shape[-1]
    low = (num_samples - width) // 2
    padded = torch.nn.functional.pad(grid_values, (low, num_samples - width - low))
    # Where in the spectrum the band sits does not matter: the rotation is a circular convolution.
    turned = torch.fft.fft(torch.fft.ifft(padded) * rotation[:, None])
    return turned[..., low : low + width]
