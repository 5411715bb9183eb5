"""Es/N0 over time: what a timed link sees of its channel.

A trace answers for any time from 0 on, in any order, and gives the same answer every time: rate
adaptation looks back at it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from channels.errors import ChannelError
from channels.fading.trace_file import read_samples
from channels.rng import generator
from channels.units import lin_to_db

SPEED_OF_LIGHT_MPS = 299_792_458.0
MIN_ESNO_DB = -100.0  # of a fade: deeper ones are cut off, since dB have no zero
_MIN_SOJOURN_S = 1e-4
_CHUNK = 256


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
        _check_levels([self.level_db])

    def esno_db(self, time_s: float) -> float:
        """See `SnrTrace.esno_db`."""
        return self.level_db


@dataclass(frozen=True)
class ClarkeTrace:
    """Rayleigh fading of a moving receiver: a sum of sinusoids with Clarke's spectrum.

    h(t) is a sum of plane waves from evenly spread angles with a random rotation and random
    phases, E|h|^2 = 1 and autocorrelation J0(2 pi f_D t), f_D = speed * carrier / c (Clarke,
    "A statistical theory of mobile-radio reception", BSTJ 1968; Patel, Stuber, Pratt, IEEE Trans.
    Commun. 2005).

    Attributes:
        mean_db: Mean Es/N0 in dB.
        speed_mps: Speed in m/s; 0 is one fade that stays.
        carrier_hz: Carrier frequency.
        seed: Of the angles and phases.
        num_paths: Plane waves.

    >>> trace = ClarkeTrace(mean_db=10.0, speed_mps=1.0, carrier_hz=2e9, seed=1)
    >>> trace.esno_db(0.5) == trace.esno_db(0.5) != trace.esno_db(0.6)
    True
    """

    mean_db: float
    speed_mps: float
    carrier_hz: float
    seed: int
    num_paths: int = 32
    _waves: tuple[np.ndarray, np.ndarray] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_levels([self.mean_db])
        if not 0.0 <= self.speed_mps < SPEED_OF_LIGHT_MPS:
            raise ChannelError(f"speed_mps is {self.speed_mps}; expected 0 or more, in m/s")
        if not 0.0 < self.carrier_hz < math.inf:
            raise ChannelError(f"carrier_hz is {self.carrier_hz}; expected a frequency above 0")
        if self.num_paths < 8:
            raise ChannelError(f"num_paths is {self.num_paths}; expected 8 or more")
        gen = generator(self.seed, "clarke")
        draws = torch.rand(self.num_paths + 1, generator=gen, dtype=torch.float64).numpy()
        angles = 2 * np.pi * (np.arange(self.num_paths) + draws[0]) / self.num_paths
        rates = 2 * np.pi * self.doppler_hz * np.cos(angles)
        object.__setattr__(self, "_waves", (rates, 2 * np.pi * draws[1:]))

    @property
    def doppler_hz(self) -> float:
        """Largest Doppler shift."""
        return self.speed_mps * self.carrier_hz / SPEED_OF_LIGHT_MPS

    def gain(self, time_s: np.ndarray) -> np.ndarray:
        """Complex gain at times of any shape."""
        rates, phases = self._waves
        waves = np.exp(1j * (np.asarray(time_s)[..., None] * rates + phases))
        return waves.sum(axis=-1) / math.sqrt(self.num_paths)

    def esno_db(self, time_s: float) -> float:
        """See `SnrTrace.esno_db`."""
        rates, phases = self._waves
        angle = time_s * rates + phases
        power = (np.cos(angle).sum() ** 2 + np.sin(angle).sum() ** 2) / self.num_paths
        return max(self.mean_db + lin_to_db(float(power)), MIN_ESNO_DB)


@dataclass(frozen=True)
class GilbertElliottTrace:
    """A link that is good or bad, for exponential times (Gilbert 1960, Elliott 1963).

    Attributes:
        good_db: Es/N0 in dB of the good state, in which it starts.
        bad_db: Es/N0 in dB of the bad state.
        mean_good_s: Mean time in the good state.
        mean_bad_s: Mean time in the bad state.
        seed: Of the times.

    >>> trace = GilbertElliottTrace(10.0, -5.0, mean_good_s=1.0, mean_bad_s=0.2, seed=1)
    >>> trace.esno_db(0.0), sorted({trace.esno_db(0.1 * i) for i in range(100)})
    (10.0, [-5.0, 10.0])
    """

    good_db: float
    bad_db: float
    mean_good_s: float
    mean_bad_s: float
    seed: int
    _switches: list[float] = field(init=False, repr=False, compare=False)
    _generator: torch.Generator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_levels([self.good_db, self.bad_db])
        for name in ("mean_good_s", "mean_bad_s"):
            # The switches up to the latest time asked for are kept, so that answers stay.
            if not _MIN_SOJOURN_S <= getattr(self, name) < math.inf:
                raise ChannelError(
                    f"{name} is {getattr(self, name)}; expected seconds, at least {_MIN_SOJOURN_S}"
                )
        object.__setattr__(self, "_switches", [0.0])
        object.__setattr__(self, "_generator", generator(self.seed, "gilbert_elliott"))

    def esno_db(self, time_s: float) -> float:
        """See `SnrTrace.esno_db`."""
        while self._switches[-1] <= time_s:
            self._extend()
        is_good = bisect_right(self._switches, time_s) % 2 == 1
        return self.good_db if is_good else self.bad_db

    def _extend(self) -> None:
        draws = torch.rand(2 * _CHUNK, generator=self._generator, dtype=torch.float64).numpy()
        sojourns = -np.log1p(-draws) * np.tile([self.mean_good_s, self.mean_bad_s], _CHUNK)
        self._switches.extend((self._switches[-1] + np.cumsum(sojourns)).tolist())


@dataclass(frozen=True)
class ReplayTrace:
    """A recorded trace, interpolated in dB and repeated from its start when it ends.

    Attributes:
        times_s: Ascending, the first is 0; the last is the length of the record.
        levels_db: Es/N0 in dB at those times.

    >>> trace = ReplayTrace((0.0, 1.0, 2.0), (10.0, 0.0, 10.0))
    >>> trace.esno_db(0.5), trace.esno_db(3.0)
    (5.0, 0.0)
    """

    times_s: tuple[float, ...]
    levels_db: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.levels_db) or len(self.times_s) < 2:
            raise ChannelError(
                f"a trace has {len(self.times_s)} times and {len(self.levels_db)} Es/N0; expected "
                "two or more, as many of each"
            )
        _check_levels(self.levels_db)
        rising = all(a < b for a, b in zip(self.times_s, self.times_s[1:], strict=False))
        if self.times_s[0] != 0.0 or not rising or not math.isfinite(self.times_s[-1]):
            raise ChannelError("times of a trace must start at 0 and rise; sort and shift them")

    def esno_db(self, time_s: float) -> float:
        """See `SnrTrace.esno_db`."""
        times, levels = self.times_s, self.levels_db
        time_s = time_s % times[-1]
        right = bisect_right(times, time_s)
        left = right - 1
        share = (time_s - times[left]) / (times[right] - times[left])
        return (1 - share) * levels[left] + share * levels[right]


def read_trace(path: str | Path) -> ReplayTrace:
    """Reads a CSV with a header and the columns ``time_s`` and ``esno_db``.

    Times may start anywhere; the trace starts at the first. Errors are those of
    `channels.fading.trace_file.read_samples`.
    """
    times, levels = read_samples(str(path))
    return ReplayTrace(tuple((times - times[0]).tolist()), tuple(levels.tolist()))


def _check_levels(levels_db: Sequence[float]) -> None:
    wrong = [level for level in levels_db if not math.isfinite(level)]
    if wrong:
        raise ChannelError(f"Es/N0 is {wrong[0]} dB; expected a finite value")
