"""Es/N0 over time: what a timed link sees of its channel.

A trace answers for any time from 0 on, in any order, and gives the same answer every time: rate
adaptation looks back at it. A recorded one is `channels.fading.trace.ReplayTrace`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from channels.errors import ChannelError
from channels.fading.clarke import PlaneWaves, draw_steady_waves
from channels.units import lin_to_db, max_doppler_hz

MIN_ESNO_DB = -100.0  # of a fade: deeper ones are cut off, since dB have no zero


class SnrTrace(Protocol):
    """Es/N0 of one user's link over time."""

    def esno_db(self, time_s: float) -> float:
        """Es/N0 in dB at a time of 0 or more."""
        ...


@dataclass(frozen=True)
class ConstantTrace:
    """A channel that does not change.

    >>> ConstantTrace(7.0).esno_db(123.4)
    7.0
    """

    level_db: float

    def __post_init__(self) -> None:
        _check_level(self.level_db)

    def esno_db(self, time_s: float) -> float:
        """See `SnrTrace.esno_db`."""
        return self.level_db


@dataclass(frozen=True)
class ClarkeTrace:
    """Rayleigh fading of a moving receiver: plane waves by `channels.fading.clarke`.

    Attributes:
        mean_db: Mean Es/N0 in dB.
        speed_mps: Speed in m/s; 0 is one fade that stays.
        carrier_hz: Carrier frequency.
        seed: Of the fades.

    >>> trace = ClarkeTrace(mean_db=10.0, speed_mps=1.0, carrier_hz=2e9, seed=1)
    >>> trace.esno_db(0.5) == trace.esno_db(0.5) != trace.esno_db(0.6)
    True
    """

    mean_db: float
    speed_mps: float
    carrier_hz: float
    seed: int
    _waves: PlaneWaves = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_level(self.mean_db)
        object.__setattr__(self, "_waves", draw_steady_waves(self.doppler_hz, self.seed))

    @property
    def doppler_hz(self) -> float:
        """Largest Doppler shift."""
        return max_doppler_hz(self.speed_mps, self.carrier_hz)

    def esno_db(self, time_s: float) -> float:
        """See `SnrTrace.esno_db`."""
        power = abs(self._waves.gain(time_s)) ** 2
        return max(self.mean_db + lin_to_db(power), MIN_ESNO_DB)


def _check_level(level_db: float) -> None:
    if not math.isfinite(level_db):
        raise ChannelError(f"Es/N0 is {level_db} dB; expected a finite value")
