"""Wall and CPU time of a piece of work, the processes that it started and waited for included."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scmc_comm.errors import ScmcError

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Duration:
    """What some work took.

    Attributes:
        wall_s: Wall time in seconds.
        cpu_s: CPU time of all threads and of finished child processes in seconds: what one core
            that does nothing else takes. Work on a GPU is not in it.
    """

    wall_s: float
    cpu_s: float


class Stopwatch:
    """Starts when it is made; `lap` gives the time since then or since the lap before.

    Example:
        >>> watch = Stopwatch()
        >>> sum(range(100_000)), watch.lap().cpu_s > 0
        (4999950000, True)
    """

    def __init__(self) -> None:
        self._start = _now()

    def lap(self) -> Duration:
        """Time since the last lap."""
        before, self._start = self._start, _now()
        return Duration(self._start[0] - before[0], self._start[1] - before[1])


def _now() -> tuple[float, float]:
    children = os.times()  # of finished ones; 0 on Windows
    cpu_s = time.process_time() + children.children_user + children.children_system
    return time.perf_counter(), cpu_s


def peak_kib() -> int:
    """Peak of the resident memory of this process in KiB (Linux); children are not in it."""
    if resource is None:
        raise ScmcError("the peak of the memory is not known on Windows; run it on Linux")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def median_of(durations: Sequence[Duration]) -> Duration:
    """Median wall and median CPU time.

    Example:
        >>> median_of([Duration(1.0, 2.0), Duration(5.0, 2.5), Duration(2.0, 9.0)])
        Duration(wall_s=2.0, cpu_s=2.5)
    """
    walls, cpus = [d.wall_s for d in durations], [d.cpu_s for d in durations]
    return Duration(statistics.median(walls), statistics.median(cpus))


def repeated(work: Callable[[], object], count: int, before: Callable[[], object]) -> Duration:
    """Median over ``count`` runs.

    Args:
        work: What is timed.
        count: Runs, 1 or more.
        before: Called before each run, not timed; drops what the run before kept.
    """
    found = []
    for _ in range(count):
        before()
        watch = Stopwatch()
        work()
        found.append(watch.lap())
    return median_of(found)
