"""A stream of pictures over one timed link along an SNR trace, for several systems side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from channels.fading.trace import ReplayTrace
from channels.timed import TableBler, User, periodic_arrivals, simulate
from experiments.timed.library import Library, Seen
from experiments.timed.schemes import Scheme
from scmc_comm.errors import ScmcError

MAX_PICTURES = 600
FADE_S = 16.0
SCHEMES = (
    "scmc",
    "jpeg:priorities=equal,scheduling=round_robin",
    "vvc:priorities=equal,scheduling=round_robin",
)


@dataclass(frozen=True)
class StreamSettings:
    """A stream.

    Attributes:
        pictures_per_s: Sent at equal distances; each has until the next one to arrive.
        bandwidth_hz: Complex channel uses a second of the link.
        duration_s: How long; None for once through the trace.
        seed: Of block errors.
    """

    pictures_per_s: float = 1.0
    bandwidth_hz: float = 20e3
    duration_s: float | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        for key in ("pictures_per_s", "bandwidth_hz"):
            if not 0 < getattr(self, key) < math.inf:
                raise ScmcError(f"{key} is {getattr(self, key)}; expected a number above 0")
        if self.duration_s is not None and not 0 < self.duration_s < math.inf:
            raise ScmcError(f"duration_s is {self.duration_s}; expected seconds above 0")

    def num_pictures(self, trace: ReplayTrace) -> int:
        """How many pictures are sent.

        Raises:
            ScmcError: None, or more than a film can hold.
        """
        duration_s = trace.times_s[-1] if self.duration_s is None else self.duration_s
        count = math.floor(duration_s * self.pictures_per_s + 1e-9)
        if not 1 <= count <= MAX_PICTURES:
            raise ScmcError(
                f"{duration_s:g} s at {self.pictures_per_s:g} pictures/s make {count} pictures; "
                f"expected 1 to {MAX_PICTURES}; change --duration-s or --pictures-per-s"
            )
        return count


@dataclass(frozen=True)
class Shot:
    """What one receiver shows at the deadline of one picture.

    Attributes:
        image: Name of the picture.
        sent: Tags of its units, the most urgent first.
        delivered: Those that came in time.
        seen: What is shown.
    """

    image: str
    sent: tuple[str, ...]
    delivered: frozenset[str]
    seen: Seen


def synthetic_fade() -> ReplayTrace:
    """The built-in trace: 16 s from 18 dB down to -9 dB and back, with a ripple.

    >>> trace = synthetic_fade()
    >>> round(trace.esno_db(0.0)), round(min(trace.levels_db)), trace.times_s[-1]
    (18, -9, 16.0)
    """
    times = np.linspace(0, FADE_S, 321)
    slow = 5.0 + 13.0 * np.cos(2 * np.pi * times / FADE_S)
    ripple = 1.0 * np.sin(2 * np.pi * times / 1.7) * np.sin(np.pi * times / FADE_S) ** 2
    return ReplayTrace(tuple(times.tolist()), tuple((slow + ripple).tolist()))


def play(
    library: Library, schemes: Sequence[str], trace: ReplayTrace, settings: StreamSettings
) -> dict[str, list[Shot]]:
    """Sends the pictures with each scheme over a link of its own along the same trace.

    Returns:
        For each scheme what is shown at the deadline of each picture.
    """
    count, images = settings.num_pictures(trace), list(library.images)
    period_s, found = 1 / settings.pictures_per_s, {}
    duration_s = (count - 0.5) * period_s
    for text in schemes:
        scheme = Scheme.parse(text)
        sizes = library.sizes(scheme.system)
        user = User(trace, periodic_arrivals(settings.pictures_per_s, sizes))
        classes = scheme.classes(library.tags(scheme.system), (period_s,) * 3)
        link = scheme.link(settings.bandwidth_hz)
        report = simulate(link, classes, [user], TableBler(), duration_s, settings.seed)
        delivered = report.delivered_sets()
        shots = []
        for i in range(count):
            place = i % len(images)
            tags = delivered.get((0, i), frozenset())
            seen = library.seen(scheme.system, images[place], tags)
            shots.append(Shot(images[place], tuple(sizes[place]), tags, seen))
        found[text] = shots
    return found
