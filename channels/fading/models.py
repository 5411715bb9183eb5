"""Flat channels: AWGN, block Rayleigh, block Rician, the receiver's noise, and all by name.

How random numbers are drawn, and why systems see the same fades and noise: `channels.fading.draws`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from channels.errors import ChannelError
from channels.fading.block import BlockFading, LineOfSight
from channels.fading.draws import check_coherence, check_size
from channels.fading.laws import Clarke, GilbertElliott, NakagamiBlock
from channels.fading.raytraced import RayTraced
from channels.fading.tr38901 import Cdl, Tdl
from channels.fading.trace import Trace
from channels.kernels.normal import complex_normal, stream_keys
from channels.specs import build, spec_of
from channels.types import ChannelState
from channels.units import db_to_lin

__all__ = [
    "CHANNELS",
    "Awgn",
    "BlockFading",
    "Channel",
    "RayleighBlock",
    "RicianBlock",
    "make_channel",
    "noise",
]


class Channel(Protocol):
    """A flat channel known perfectly to the receiver."""

    @property
    def name(self) -> str:
        """Spec from which `make_channel` builds an equal channel."""
        ...

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """Draws the gains of one transmission for each trial.

        Args:
            num_symbols: Complex channel uses of the transmission.
            esno_db: Mean Es/N0 per complex channel use.
            seeds: One seed per trial.

        Returns:
            Gains complex64 [len(seeds), num_symbols] with E|h|^2 = 1, and the noise variance.
        """
        ...


def noise(num_symbols: int, no: float, seeds: Sequence[int]) -> torch.Tensor:
    """Circular complex Gaussian noise, variance `no` (half of it in each real dimension).

    Args:
        num_symbols: Samples per trial.
        no: Noise variance per complex dimension, linear.
        seeds: One seed per trial.

    Returns:
        complex64 [len(seeds), num_symbols].
    """
    if not no >= 0.0:
        raise ChannelError(f"noise variance is {no}; expected 0 or more")
    check_size(num_symbols, seeds)
    return torch.from_numpy(complex_normal(num_symbols, stream_keys(seeds, "noise"), no))


@dataclass(frozen=True)
class Awgn(LineOfSight):
    """Additive white Gaussian noise, h = 1.

    Source: J. Proakis, M. Salehi, Digital Communications, 5th ed., section 4.2.
    """

    @property
    def name(self) -> str:
        """``"awgn"``."""
        return spec_of("awgn", self)

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

    coherence_symbols: int | None = None

    def __post_init__(self) -> None:
        check_coherence(self.coherence_symbols)

    @property
    def name(self) -> str:
        """``"rayleigh_block"`` with its coherence length, where finite."""
        return spec_of("rayleigh_block", self)

    @property
    def fixed_gain(self) -> float:
        """None."""
        return 0.0


@dataclass(frozen=True)
class RicianBlock(LineOfSight):
    """Rician block fading: a constant line of sight plus a Rayleigh part, E|h|^2 = 1.

    Attributes:
        k_factor_db: Power of the line of sight over that of the scattered part.
        coherence_symbols: Channel uses per block; None for one fade over the transmission.

    Source: D. Tse, P. Viswanath, Fundamentals of Wireless Communication, section 2.4.2.
    """

    k_factor_db: float = 6.0
    coherence_symbols: int | None = None

    def __post_init__(self) -> None:
        check_coherence(self.coherence_symbols)
        if not math.isfinite(self.k_factor_db):
            raise ChannelError(
                f"k_factor_db is {self.k_factor_db}; expected a finite value; use awgn or "
                "rayleigh_block for the limits"
            )

    @property
    def name(self) -> str:
        """``"rician_block"`` with its parameters."""
        return spec_of("rician_block", self)

    @property
    def fixed_gain(self) -> float:
        """Amplitude of the line of sight."""
        k_factor = db_to_lin(self.k_factor_db)
        return math.sqrt(k_factor / (k_factor + 1))


CHANNELS: dict[str, Callable[..., Channel]] = {
    "awgn": Awgn,
    "rayleigh_block": RayleighBlock,
    "rician_block": RicianBlock,
    "nakagami_block": NakagamiBlock,
    "clarke": Clarke,
    "gilbert_elliott": GilbertElliott,
    "trace": Trace,
    "tdl": Tdl,
    "cdl": Cdl,
    "ray_traced": RayTraced,
}


def make_channel(spec: str) -> Channel:
    """Builds a channel from its name and parameters.

    Args:
        spec: ``name`` or ``name:key=value,key=value``.

    >>> make_channel("rician_block:k_factor_db=3,coherence_symbols=256")
    RicianBlock(k_factor_db=3.0, coherence_symbols=256)
    """
    channel: Channel = build("channel", CHANNELS, spec)
    return channel
