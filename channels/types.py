"""The link's data types: what is sent, over what, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from channels.errors import ChannelError

BITS_PER_SYMBOL = (2, 4, 6, 8)
MIN_CODERATE = 1 / 5
MAX_CODERATE = 0.93


@dataclass(frozen=True)
class Mcs:
    """A modulation and coding scheme.

    Attributes:
        num_bits_per_symbol: 2 (QPSK), 4, 6 or 8 (16-, 64-, 256-QAM).
        coderate: k / n of the mother LDPC code, in [1/5, 0.93].
        repetition: How many times each coded bit is sent; the effective rate is
            ``coderate / repetition``, which is how rates below 1/5 are reached.
    """

    num_bits_per_symbol: int
    coderate: float
    repetition: int = 1

    def __post_init__(self) -> None:
        if self.num_bits_per_symbol not in BITS_PER_SYMBOL:
            raise ChannelError(
                f"num_bits_per_symbol is {self.num_bits_per_symbol}; expected one of "
                f"{BITS_PER_SYMBOL} (QPSK, 16-, 64-, 256-QAM)"
            )
        if not MIN_CODERATE - 1e-9 <= self.coderate <= MAX_CODERATE + 1e-9:
            raise ChannelError(
                f"coderate is {self.coderate}; expected {MIN_CODERATE} to {MAX_CODERATE}; "
                "use repetition for lower rates"
            )
        if self.repetition < 1:
            raise ChannelError(f"repetition is {self.repetition}; expected at least 1")

    @property
    def bits_per_use(self) -> float:
        """Information bits per channel use, before CRC and filler."""
        return self.coderate * self.num_bits_per_symbol / self.repetition


@dataclass(frozen=True)
class Frame:
    """One transport block to be sent: it arrives whole or not at all.

    Attributes:
        tag: Name of the unit it carries, for example ``"semantic"``.
        bits: Payload, uint8 [k] of 0 and 1, without CRC.
        mcs: Its modulation and coding.
        power_db: Transmit power relative to the other frames of the same transmission; the
            sender normalises so that the mean over all symbols is 1.
        priority: 0 is sent first.
    """

    tag: str
    bits: np.ndarray
    mcs: Mcs
    power_db: float = 0.0
    priority: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.tag, str) or not self.tag.isprintable() or self.tag in ("", "none"):
            raise ChannelError(f"a frame's tag is {self.tag!r}; expected a word, such as 'image'")
        if "+" in self.tag:
            raise ChannelError(
                f"a frame's tag is {self.tag!r}; a + joins the tags of delivered sets"
            )
        if self.bits.dtype != np.uint8 or self.bits.ndim != 1 or self.bits.size == 0:
            raise ChannelError(
                f"frame {self.tag!r}: bits are {self.bits.dtype} {self.bits.shape}; "
                "expected uint8 [k] with k > 0"
            )
        if self.bits.max() > 1:
            raise ChannelError(f"frame {self.tag!r}: bits hold {self.bits.max()}; expected 0 and 1")


@dataclass(frozen=True)
class ChannelState:
    """One draw of the channel.

    Attributes:
        h: Complex gain of each channel use, complex64 [num_trials, num_symbols], E|h|^2 = 1.
        no: Noise variance per complex dimension, linear (Es = 1).
    """

    h: torch.Tensor
    no: float


class Channel(Protocol):
    """A flat channel known perfectly to the receiver."""

    @property
    def name(self) -> str:
        """Spec from which `channels.fading.models.make_channel` builds an equal channel."""
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


@dataclass(frozen=True)
class ReceivedSymbols:
    """What an analog receiver has of one trial.

    Attributes:
        symbols: Equalised symbols, complex64 [n].
        esno: Es/N0 after equalisation, linear.
    """

    symbols: torch.Tensor
    esno: float


@dataclass(frozen=True)
class LinkReport:
    """What came of sending a list of frames, or of analog symbols, over a batch of trials.

    Attributes:
        tags: Tag of each frame, in the order they were given.
        delivered: bool [num_trials, num_frames]; True where every CRC passed.
        channel_uses: int [num_frames], complex channel uses of each frame, pilots included.
        bits_hat: For each frame uint8 [num_trials, k]: the decoded payload, also where the CRC
            failed (the receiver must not look at it then). Empty where BLER tables decide.
        symbols: For each trial what an analog receiver has; empty where frames are sent.
    """

    tags: tuple[str, ...]
    delivered: np.ndarray
    channel_uses: np.ndarray
    bits_hat: tuple[np.ndarray, ...] = field(default=())
    symbols: tuple[ReceivedSymbols, ...] = field(default=())

    @property
    def num_trials(self) -> int:
        """Number of trials in the batch."""
        return int(self.delivered.shape[0])

    def delivered_tags(self, trial: int) -> frozenset[str]:
        """The tags that arrived in one trial."""
        return frozenset(t for t, ok in zip(self.tags, self.delivered[trial], strict=True) if ok)

    def received(self, trial: int) -> frozenset[str] | ReceivedSymbols:
        """What the receiver has of one trial: the tags that arrived, or analog symbols."""
        return self.symbols[trial] if self.symbols else self.delivered_tags(trial)
