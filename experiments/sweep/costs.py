"""What parts of a run cost on this machine, in seconds of a core: measured once, and kept."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from joblib import cpu_count

from experiments.execution.cache import Cache, digest
from experiments.execution.executors import one_thread
from experiments.execution.stopwatch import Stopwatch
from experiments.statistics.tables import time_text


class UnknownCostError(Exception):
    """A part was never measured on this machine."""


def seconds_of(what: Callable[[], object]) -> float:
    """Seconds of a core that a call takes, programs that it runs included."""
    watch = Stopwatch()
    what()
    return watch.lap().cpu_s


def kept_cost(
    cache_dir: Path,
    fingerprint: str,
    what: Sequence[object],
    measure: Callable[[], dict[str, float]],
    calibrate: bool,
) -> dict[str, float]:
    """A measurement of this machine, made once.

    Args:
        cache_dir: Where it is kept.
        fingerprint: Identity of the code that is measured.
        what: What is measured.
        measure: Measures it, on one core.
        calibrate: Measure what is not known.

    Raises:
        UnknownCostError: It is not known, and shall not be measured.
    """
    cache = Cache(cache_dir)
    machine = [platform.node(), platform.machine(), cpu_count()]
    key = digest("cost", machine, fingerprint, list(what))
    known: dict[str, float] | None = cache.get_json(key)
    if known is None and not calibrate:
        raise UnknownCostError
    if known is None:
        with one_thread(), torch.no_grad():
            known = measure()
        cache.put_json(key, known)
    return known


def total_text(total_s: float, jobs: int) -> str:
    """The sum, and what of it passes with so many processes.

    Example:
        >>> total_text(30.0, 1)
        '30 s of a core in all, about 30 s with 1 job'
    """
    share = total_s / min(jobs, cpu_count())
    total = f"{time_text(total_s)} of a core in all, about {time_text(share)} with {jobs} job"
    return total + ("s" if jobs > 1 else "")
