"""Measures how long a system encodes and decodes a picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from experiments.computing.times import Coding, PictureTimes
from experiments.execution.stopwatch import Duration, repeated
from scmc_comm.link.prepared import Prepared
from scmc_comm.systems.base import System

REPETITIONS = 3


def measure_picture(
    system: System, prepare: Callable[[], Prepared], coding: Coding, count: int = REPETITIONS
) -> PictureTimes:
    """Median times of one picture over ``count`` runs.

    A run before them, which does not count, loads networks and tables. Before each run the system
    forgets the picture, so that each takes its full time.

    Args:
        system: The system, digital.
        prepare: Encodes the picture.
        coding: What that is.
        count: Runs that count.
    """
    prepared = prepare()
    system.reconstruct(prepared, frozenset(prepared.tags))
    encode = repeated(prepare, count, system.forget)
    return PictureTimes(coding, encode, decoding_times(system, prepared, count))


def decoding_times(system: System, prepared: Prepared, count: int) -> dict[str, Duration]:
    """Of each unit, the most urgent first: the time to decode it and all more urgent ones."""
    found, tags = {}, list[str]()
    for frame in sorted(prepared.frames, key=lambda frame: frame.priority):
        tags.append(frame.tag)
        usable = prepared.usable(frozenset(tags))
        show = partial(system.reconstruct, prepared, usable)
        found[frame.tag] = repeated(show, count, system.forget)
    return found
