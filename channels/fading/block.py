"""Channels whose gain is constant in blocks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import ncx2

from channels.fading.draws import check_size
from channels.kernels.normal import complex_normal, stream_keys
from channels.types import ChannelState
from channels.units import esno_db_to_no


class BlockFading(ABC):
    """A channel whose gain is constant in blocks, independent between them, E|h|^2 = 1."""

    coherence_symbols: int | None

    @abstractmethod
    def gains_of(self, scattered: np.ndarray) -> np.ndarray:
        """Gains complex [...] made of CN(0, 1) variables complex [...]."""

    @abstractmethod
    def power_cdf(self, power: np.ndarray) -> np.ndarray:
        """P(|h|^2 <= power)."""

    @property
    def is_fading(self) -> bool:
        """False where the gain is 1 always."""
        return True

    def block_symbols(self, num_symbols: int) -> int:
        """Channel uses per block in a transmission of so many."""
        return num_symbols if self.coherence_symbols is None else self.coherence_symbols

    def num_blocks(self, num_symbols: int) -> int:
        """Blocks that a transmission meets; the last may be cut short."""
        return -(-num_symbols // self.block_symbols(num_symbols))

    def block_gains(self, num_symbols: int, seeds: Sequence[int]) -> torch.Tensor:
        """Gains complex64 [len(seeds), num_blocks]; a row depends on its seed alone."""
        check_size(num_symbols, seeds)
        num_blocks = self.num_blocks(num_symbols)
        if not self.is_fading:
            return torch.ones(len(seeds), num_blocks, dtype=torch.complex64)
        scattered = complex_normal(num_blocks, stream_keys(seeds, "gain"))
        return torch.from_numpy(self.gains_of(scattered)).to(torch.complex64)

    def quantile_gains(self, normal: np.ndarray) -> np.ndarray:
        """Gains complex [...] from standard normal variables [..., 2], as a sequence gives them."""
        return self.gains_of((normal[..., 0] + 1j * normal[..., 1]) * math.sqrt(0.5))

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """See `channels.fading.models.Channel.draw`."""
        gains = self.block_gains(num_symbols, seeds)
        h = gains.repeat_interleave(self.block_symbols(num_symbols), dim=1)[:, :num_symbols]
        return ChannelState(h=h, no=esno_db_to_no(esno_db))


class LineOfSight(BlockFading):
    """A fixed part plus a CN part, from no fading to Rayleigh."""

    @property
    @abstractmethod
    def fixed_gain(self) -> float:
        """Amplitude of the part that does not fade, 0 to 1; its power and the rest add to 1."""

    @property
    def is_fading(self) -> bool:
        """False where the gain is 1 always."""
        return self.fixed_gain < 1.0

    def gains_of(self, scattered: np.ndarray) -> np.ndarray:
        """See `BlockFading.gains_of`."""
        return self.fixed_gain + math.sqrt(1 - self.fixed_gain**2) * scattered

    def power_cdf(self, power: np.ndarray) -> np.ndarray:
        """P(|h|^2 <= power): non-central chi-square of two degrees of freedom, scaled."""
        spread = (1 - self.fixed_gain**2) / 2
        return ncx2.cdf(np.asarray(power) / spread, 2, self.fixed_gain**2 / spread)
