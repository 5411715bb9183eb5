"""Flat channels: AWGN, block Rayleigh, block Rician, and the receiver's noise.

Every random number is drawn here from the trial's own seed and its place (`channels.normal`). So
a row depends on its seed alone, not on the batch it is drawn in, and a shorter draw is the
beginning of a longer one: systems that use different numbers of symbols see the same fades and
the same noise (common random numbers).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from scipy.stats import ncx2

from channels.errors import ChannelError
from channels.normal import complex_normal, stream_keys
from channels.types import ChannelState
from channels.units import db_to_lin, esno_db_to_no


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
    _check_size(num_symbols, seeds)
    return torch.from_numpy(complex_normal(num_symbols, stream_keys(seeds, "noise"), no))


def _check_size(num_symbols: int, seeds: Sequence[int]) -> None:
    if num_symbols < 1 or len(seeds) == 0:
        raise ChannelError(
            f"asked for {num_symbols} symbols of {len(seeds)} trials; expected at least one of each"
        )


def _check_coherence(coherence_symbols: int | None) -> None:
    if coherence_symbols is not None and coherence_symbols < 1:
        raise ChannelError(
            f"coherence_symbols is {coherence_symbols}; expected at least 1, or None for one "
            "fade over the whole transmission"
        )


def _spec(name: str, channel: object) -> str:
    """Name with the parameters that are set, in the form that `make_channel` reads."""
    values = [(f.name, getattr(channel, f.name)) for f in fields(channel)]  # type: ignore[arg-type]
    args = ",".join(f"{key}={value}" for key, value in values if value is not None)
    return f"{name}:{args}" if args else name


class BlockFading(ABC):
    """A channel whose gain is constant in blocks: a fixed part plus a CN part, E|h|^2 = 1."""

    coherence_symbols: int | None

    @property
    @abstractmethod
    def fixed_gain(self) -> float:
        """Amplitude of the part that does not fade, 0 to 1; its power and the rest add to 1."""

    @property
    def is_fading(self) -> bool:
        """False where the gain is 1 always."""
        return self.fixed_gain < 1.0

    def block_symbols(self, num_symbols: int) -> int:
        """Channel uses per block in a transmission of so many."""
        return num_symbols if self.coherence_symbols is None else self.coherence_symbols

    def num_blocks(self, num_symbols: int) -> int:
        """Blocks that a transmission meets; the last may be cut short."""
        return -(-num_symbols // self.block_symbols(num_symbols))

    def block_gains(self, num_symbols: int, seeds: Sequence[int]) -> torch.Tensor:
        """Gains complex64 [len(seeds), num_blocks]; a row depends on its seed alone."""
        _check_size(num_symbols, seeds)
        num_blocks = self.num_blocks(num_symbols)
        if not self.is_fading:
            return torch.ones(len(seeds), num_blocks, dtype=torch.complex64)
        scattered = torch.from_numpy(complex_normal(num_blocks, stream_keys(seeds, "gain")))
        return self.fixed_gain + math.sqrt(1 - self.fixed_gain**2) * scattered

    def quantile_gains(self, normal: np.ndarray) -> np.ndarray:
        """Gains complex [...] from standard normal variables [..., 2], as a sequence gives them."""
        scattered = (normal[..., 0] + 1j * normal[..., 1]) * math.sqrt(0.5)
        return self.fixed_gain + math.sqrt(1 - self.fixed_gain**2) * scattered

    def power_cdf(self, power: np.ndarray) -> np.ndarray:
        """P(|h|^2 <= power): non-central chi-square of two degrees of freedom, scaled."""
        spread = (1 - self.fixed_gain**2) / 2
        return ncx2.cdf(np.asarray(power) / spread, 2, self.fixed_gain**2 / spread)

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """See `Channel.draw`."""
        gains = self.block_gains(num_symbols, seeds)
        h = gains.repeat_interleave(self.block_symbols(num_symbols), dim=1)[:, :num_symbols]
        return ChannelState(h=h, no=esno_db_to_no(esno_db))


@dataclass(frozen=True)
class Awgn(BlockFading):
    """Additive white Gaussian noise, h = 1."""

    @property
    def name(self) -> str:
        """``"awgn"``."""
        return _spec("awgn", self)

    @property
    def coherence_symbols(self) -> None:  # type: ignore[override]
        """One block."""
        return None

    @property
    def fixed_gain(self) -> float:
        """All of it."""
        return 1.0


@dataclass(frozen=True)
class RayleighBlock(BlockFading):
    """Rayleigh block fading: h is CN(0, 1), constant in a block, independent between blocks.

    Attributes:
        coherence_symbols: Channel uses per block; None for one fade over the transmission.

    >>> state = RayleighBlock(4).draw(8, esno_db=10.0, seeds=[1, 2])
    >>> state.h.shape, bool((state.h[:, :4] == state.h[:, :1]).all())
    (torch.Size([2, 8]), True)
    """

    coherence_symbols: int | None = None

    def __post_init__(self) -> None:
        _check_coherence(self.coherence_symbols)

    @property
    def name(self) -> str:
        """``"rayleigh_block"`` with its coherence length, where finite."""
        return _spec("rayleigh_block", self)

    @property
    def fixed_gain(self) -> float:
        """None."""
        return 0.0


@dataclass(frozen=True)
class RicianBlock(BlockFading):
    """Rician block fading: a constant line of sight plus a Rayleigh part, E|h|^2 = 1.

    Attributes:
        k_factor_db: Power of the line of sight over that of the scattered part.
        coherence_symbols: Channel uses per block; None for one fade over the transmission.
    """

    k_factor_db: float = 6.0
    coherence_symbols: int | None = None

    def __post_init__(self) -> None:
        _check_coherence(self.coherence_symbols)
        if not math.isfinite(self.k_factor_db):
            raise ChannelError(
                f"k_factor_db is {self.k_factor_db}; expected a finite value; use awgn or "
                "rayleigh_block for the limits"
            )

    @property
    def name(self) -> str:
        """``"rician_block"`` with its parameters."""
        return _spec("rician_block", self)

    @property
    def fixed_gain(self) -> float:
        """Amplitude of the line of sight."""
        k_factor = db_to_lin(self.k_factor_db)
        return math.sqrt(k_factor / (k_factor + 1))


CHANNELS: dict[str, Callable[..., Channel]] = {
    "awgn": Awgn,
    "rayleigh_block": RayleighBlock,
    "rician_block": RicianBlock,
}

_PARAMETERS: dict[str, Callable[[str], float | int]] = {
    "coherence_symbols": int,
    "k_factor_db": float,
}


def make_channel(spec: str) -> Channel:
    """Builds a channel from its name and parameters.

    Args:
        spec: ``name`` or ``name:key=value,key=value``.

    >>> make_channel("rician_block:k_factor_db=3,coherence_symbols=256")
    RicianBlock(k_factor_db=3.0, coherence_symbols=256)
    """
    name, _, args = spec.partition(":")
    if name not in CHANNELS:
        raise ChannelError(f"channel is {name!r}; expected one of {', '.join(sorted(CHANNELS))}")
    kwargs: dict[str, float | int] = {}
    for item in filter(None, args.split(",")):
        key, _, value = (part.strip() for part in item.partition("="))
        try:
            kwargs[key] = _PARAMETERS[key](value)
        except (KeyError, ValueError):
            raise ChannelError(
                f"channel {name!r} got {item!r}; expected key=number with key one of "
                f"{', '.join(_PARAMETERS)}"
            ) from None
    try:
        return CHANNELS[name](**kwargs)
    except TypeError:
        raise ChannelError(f"channel {name!r} does not take {', '.join(kwargs)}") from None
