"""Measures how long a system encodes and decodes a picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from experiments.computing.times import Coding, PictureTimes
from experiments.execution.stopwatch import Duration, repeated
from scmc_comm.link.prepared import Prepared
from scmc_comm.sent import Sent
from scmc_comm.systems.base import System
from scmc_comm.transmission import prepare as prepare_sent

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


def measure_sent(sent: Sent, count: int) -> dict[str, float]:
    """Median times of a picture that was sent: of the encoder, and of decoding all that was sent.

    Of an analog system what the first draw received is decoded.

    Args:
        sent: The picture; sending it has loaded networks and tables.
        count: Runs of each, 1 or more.

    Returns:
        ``encode_s`` and ``decode_s``, wall times in seconds, ``encode_cpu_s`` and
        ``decode_cpu_s``, CPU times and their ``num_repetitions``.
    """
    system, prepared, setting = sent.setting.system, sent.prepared, sent.setting
    encode = partial(prepare_sent, system, sent.img, setting.budget())
    received = sent.transmission.report.received(0) if system.analog else frozenset(prepared.tags)
    decode = partial(system.reconstruct, prepared, received)
    decode()  # networks of the receiver
    found: dict[str, float] = {}
    for name, work in (("encode", encode), ("decode", decode)):
        took = repeated(work, count, system.forget)
        found |= {f"{name}_s": took.wall_s, f"{name}_cpu_s": took.cpu_s}
    return {**found, "num_repetitions": count}


def decoding_times(system: System, prepared: Prepared, count: int) -> dict[str, Duration]:
    """Of each unit, the most urgent first: the time to decode it and all more urgent ones."""
    found, tags = {}, list[str]()
    for frame in sorted(prepared.frames, key=lambda frame: frame.priority):
        tags.append(frame.tag)
        usable = prepared.usable(frozenset(tags))
        show = partial(system.reconstruct, prepared, usable)
        found[frame.tag] = repeated(show, count, system.forget)
    return found
