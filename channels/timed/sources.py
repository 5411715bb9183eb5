"""Frames that arrive: in step, or as a Poisson process."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, cycle

import torch

from channels.errors import ChannelError
from channels.rng import generator
from channels.timed.types import Arrival

_CHUNK = 512


class Uniforms:
    """Uniform numbers in [0, 1) one at a time, from a generator of `channels.rng`."""

    def __init__(self, gen: torch.Generator) -> None:
        self._generator, self._values = gen, iter([0.0][:0])

    def __call__(self) -> float:
        """The next one."""
        for value in self._values:
            return value
        draws = torch.rand(_CHUNK, generator=self._generator, dtype=torch.float64)
        self._values = iter(draws.tolist())
        return next(self._values)


def periodic_arrivals(
    frames_per_s: float, sizes: Sequence[Mapping[str, int]], offset_s: float = 0.0
) -> Iterator[Arrival]:
    """Endless frames at equal distances.

    Args:
        frames_per_s: How many a second.
        sizes: Payload bits of the packets of each frame by tag, taken in turn.
        offset_s: Time of the first.

    >>> frames = periodic_arrivals(5.0, [{"text": 80}])
    >>> next(frames).time_s, next(frames).time_s
    (0.0, 0.2)
    """
    _check(frames_per_s, sizes)
    if not 0.0 <= offset_s < math.inf:
        raise ChannelError(f"offset_s is {offset_s}; expected seconds, 0 or more")
    frames = zip(count(), cycle(sizes), strict=False)
    return (Arrival(offset_s + i / frames_per_s, bits) for i, bits in frames)


def poisson_arrivals(
    frames_per_s: float, sizes: Sequence[Mapping[str, int]], seed: int
) -> Iterator[Arrival]:
    """Endless frames at exponential distances; arguments as for `periodic_arrivals`.

    >>> frames = poisson_arrivals(5.0, [{"text": 80}], seed=1)
    >>> next(frames).time_s < next(frames).time_s
    True
    """
    _check(frames_per_s, sizes)
    return _poisson(frames_per_s, sizes, Uniforms(generator(seed, "arrivals")))


def _poisson(
    frames_per_s: float, sizes: Sequence[Mapping[str, int]], uniform: Uniforms
) -> Iterator[Arrival]:
    time_s = 0.0
    for bits in cycle(sizes):
        time_s -= math.log1p(-uniform()) / frames_per_s
        yield Arrival(time_s, bits)


def _check(frames_per_s: float, sizes: Sequence[Mapping[str, int]]) -> None:
    if not 0.0 < frames_per_s < math.inf:
        raise ChannelError(f"frames_per_s is {frames_per_s}; expected a rate above 0")
    if not sizes:
        raise ChannelError("sizes are empty; expected the packets of at least one frame")
