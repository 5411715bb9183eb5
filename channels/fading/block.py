"""Channels whose gain is constant in blocks: AWGN, Rayleigh, Rician and Nakagami."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import scipy  # its parts are imported by who first uses them: scipy.stats takes half a second
import torch

from channels.fading.draws import check_size
from channels.kernels.normal import complex_normal, stream_keys
from channels.ranges import CoherenceSymbols, Decibels, Range
from channels.specs import Component, check_values
from channels.types import ChannelState
from channels.units import db_to_lin, esno_db_to_no

if TYPE_CHECKING:
    from scipy.stats.distributions import rv_frozen


class BlockFading(Component, ABC):
    """A channel whose gain is constant in blocks, independent between them, E|h|^2 = 1."""

    coherence_symbols: int | None

    @abstractmethod
    def gains_of(self, scattered: np.ndarray) -> np.ndarray:
        """Gains complex [...] made of CN(0, 1) variables complex [...]."""

    @property
    @abstractmethod
    def power_law(self) -> rv_frozen:
        """Distribution of |h|^2, of mean 1."""

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

    @property
    def power_law(self) -> rv_frozen:
        """Non-central chi-square of two degrees of freedom, scaled; exponential for Rayleigh."""
        if self.fixed_gain == 0.0:
            return scipy.stats.expon()
        spread = (1 - self.fixed_gain**2) / 2
        return scipy.stats.ncx2(df=2, nc=self.fixed_gain**2 / spread, scale=spread)


@dataclass(frozen=True)
class Awgn(LineOfSight):
    """Additive white Gaussian noise, h = 1.

    Source: J. Proakis, M. Salehi, Digital Communications, 5th ed., section 4.2.
    """

    @property
    def coherence_symbols(self) -> None:  # type: ignore[override]
        """One block."""
        return None

    @property
    def fixed_gain(self) -> float:
        """All of it."""
        return 1.0


@dataclass(frozen=True)
class RayleighBlock(LineOfSight):
    """Rayleigh block fading: h is CN(0, 1), constant in a block, independent between blocks.

    Attributes:
        coherence_symbols: Channel uses per block; None for one fade over the transmission.

    Source: D. Tse, P. Viswanath, Fundamentals of Wireless Communication, section 2.4.2.

    >>> state = RayleighBlock(4).draw(8, esno_db=10.0, seeds=[1, 2])
    >>> state.h.shape, bool((state.h[:, :4] == state.h[:, :1]).all())
    (torch.Size([2, 8]), True)
    """

    coherence_symbols: CoherenceSymbols | None = None

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def fixed_gain(self) -> float:
        """None."""
        return 0.0


@dataclass(frozen=True)
class RicianBlock(LineOfSight):
    """Rician block fading: a constant line of sight plus a Rayleigh part, E|h|^2 = 1.

    Attributes:
        k_factor_db: Power of the line of sight over that of the scattered part; the limits are
            rayleigh_block and awgn.
        coherence_symbols: Channel uses per block; None for one fade over the transmission.

    Source: D. Tse, P. Viswanath, Fundamentals of Wireless Communication, section 2.4.2.
    """

    k_factor_db: Decibels = 6.0
    coherence_symbols: CoherenceSymbols | None = None

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def fixed_gain(self) -> float:
        """Amplitude of the line of sight."""
        k_factor = db_to_lin(self.k_factor_db)
        return math.sqrt(k_factor / (k_factor + 1))


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

    m: Annotated[float, Range(0.5, 1e4)] = 2.0
    coherence_symbols: CoherenceSymbols | None = None

    def __post_init__(self) -> None:
        check_values(self)

    def gains_of(self, scattered: np.ndarray) -> np.ndarray:
        """See `BlockFading.gains_of`."""
        # P(power > x) is exp(-x) for Rayleigh; find the power of the same rank for Nakagami.
        rayleigh = np.abs(scattered).astype(np.float64)
        amplitude = np.sqrt(scipy.special.gammainccinv(self.m, np.exp(-(rayleigh**2))) / self.m)
        gains: np.ndarray = scattered * (amplitude / np.maximum(rayleigh, 1e-30))
        return gains

    @property
    def power_law(self) -> rv_frozen:
        """Gamma distribution of shape m."""
        return scipy.stats.gamma(a=self.m, scale=1 / self.m)
