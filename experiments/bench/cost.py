"""What a piece of work costs: wall time and memory, in a fresh process (Linux)."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """What a run took: wall time, and the most memory of it and its workers (NaN: not watched)."""

    seconds: float
    peak_mib: float


def _family(process: Path) -> Iterator[Path]:
    """A process in ``/proc`` and its descendants."""
    yield process
    for listed in process.glob("task/*/children"):
        for child in listed.read_text(encoding="utf-8").split():
            yield from _family(process.parent / child)


def _memory_mib() -> float:
    """Proportional set size of this process and its descendants: shared pages count once."""
    total = 0
    for process in _family(Path("/proc") / str(os.getpid())):
        with contextlib.suppress(OSError):  # it has ended
            text = (process / "smaps_rollup").read_text(encoding="utf-8")
            total += int(text.split("Pss:")[1].split()[0])
    return total / 1024


def _cost_here(function: Callable[[], object], memory: bool) -> Cost:
    peak, done = _memory_mib(), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.25):
            with contextlib.suppress(OSError):
                peak = max(peak, _memory_mib())

    watcher = threading.Thread(target=watch, daemon=True)
    if memory:
        watcher.start()
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    done.set()
    return Cost(seconds, peak if memory else math.nan)


def in_fresh_process(function: Callable[[], T]) -> T:
    """What an importable function returns in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function).result()


def cost(function: Callable[[], object], memory: bool = True) -> Cost:
    """Cost of an importable function in a fresh process, whose start is not counted (Linux).

    Args:
        function: What to run.
        memory: Watch the memory. Reading that of a family of processes takes the more time the
            more there are, and would bend a comparison of their numbers.
    """
    return in_fresh_process(partial(_cost_here, function, memory))


def _burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def _seconds_of_burners(count: int, seconds: float) -> float:
    fork = multiprocessing.get_context("fork")
    burners = [fork.Process(target=_burn, args=(seconds / count,)) for _ in range(count)]
    start = time.perf_counter()
    for burner in burners:
        burner.start()
    for burner in burners:
        burner.join()
    return time.perf_counter() - start


def machine_allows() -> float:
    """How much faster two processes that share nothing are than one: 2 on two idle cores."""
    return _seconds_of_burners(1, 4.0) / _seconds_of_burners(2, 4.0)
