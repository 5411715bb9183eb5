"""One run of the timed link: what became of every picture of every user."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from channels.rng import generator
from channels.timed import TableBler, TimedReport, User, poisson_arrivals, simulate
from channels.timed.traces import ClarkeTrace
from experiments.timed.schemes import INSTANT, Computing, Scheme
from experiments.timed.spec import Point, TimedSpec

QUIET_LOAD = 0.02  # relative to a guess; with it nothing waits
_QUIET_FRAMES = 400
UNIT_NUMBERS = ("offered", "delivered", "p50_s", "p95_s", "p99_s", "wait_s", "age_s", "energy_j")


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        spec: The experiment.
        scheme: Text of the scheme.
        value: Place on the axis.
        replication: Number of the run.
        sizes: Units of each picture, payload bits by tag.
        tags: All tags, the most urgent first.
        frames_per_s: Pictures of each user per second at load 1, with all users of the spec.
        key: Content key.
        computing: How long the codec works.
    """

    spec: TimedSpec
    scheme: str
    value: float
    replication: int
    sizes: tuple[Mapping[str, int], ...]
    tags: tuple[str, ...]
    frames_per_s: float
    key: str
    computing: Computing = INSTANT


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        delivered: How often each set of tags, as sorted text, came for each picture.
        units: `UNIT_NUMBERS` of each tag.
        utilisation: Share of the time in which the link sent.
        energy_j: Of all units.
        num_pictures: That arrived.
    """

    delivered: dict[tuple[int, str], int]
    units: dict[str, dict[str, float]]
    utilisation: float
    energy_j: float
    num_pictures: int


def full_rate(spec: TimedSpec, sizes: Sequence[Mapping[str, int]], tags: Sequence[str]) -> float:
    """Pictures per second of each user at load 1.

    Measured: the channel uses that the first scheme spends on a picture, retransmissions
    included, in a run in which hardly anything waits or misses a deadline.
    """
    scheme = Scheme.parse(spec.schemes[0])
    bits = float(np.mean([sum(s.values()) for s in sizes]))
    guess = spec.bandwidth_hz / bits / spec.num_users  # at a bit a use
    rate = QUIET_LOAD * guess
    point = Point(1.0, spec.num_users, (1e6,) * 3, spec.esno_db)
    duration_s = _QUIET_FRAMES / rate / spec.num_users
    report = _send(spec, scheme, point, sizes, tags, rate, duration_s, replication=-1)
    num_pictures = len(report.delivered_sets())
    return spec.bandwidth_hz * num_pictures / float(report.uses.sum()) / spec.num_users


def run(job: Job) -> Outcome:
    """Runs the link once."""
    spec, point = job.spec, job.spec.at(job.value)
    rate = job.frames_per_s * point.load * spec.num_users / point.num_users
    report = _send(
        spec, Scheme.parse(job.scheme), point, job.sizes, job.tags, rate, spec.duration_s,
        job.replication, job.computing,
    )  # fmt: skip
    sets = report.delivered_sets()
    delivered = Counter(
        (picture_of(user, frame, len(job.sizes)), "+".join(sorted(tags)))
        for (user, frame), tags in sets.items()
    )
    units = {}
    for tag in job.tags:
        found = report.summary(tag)
        numbers = (
            found.offered, found.delivered, *found.latency_s, found.mean_wait_s,
            found.mean_age_s, found.energy_j,
        )  # fmt: skip
        units[tag] = dict(zip(UNIT_NUMBERS, map(float, numbers), strict=True))
    energy_j = float(report.energy_j.sum())
    return Outcome(dict(delivered), units, report.utilisation, energy_j, len(sets))


def picture_of(user: int, frame: int, num_pictures: int) -> int:
    """Which picture a user gets: each goes through all of them, from one of its own on."""
    return (user + frame) % num_pictures


def seed_of(spec: TimedSpec, replication: int, user: int) -> int:
    """Seed of a user's fades and arrivals: the same for every scheme and value of the axis."""
    return generator(spec.seed, "timed", replication, user).initial_seed() % 2**31


def _send(
    spec: TimedSpec,
    scheme: Scheme,
    point: Point,
    sizes: Sequence[Mapping[str, int]],
    tags: Sequence[str],
    frames_per_s: float,
    duration_s: float,
    replication: int,
    computing: Computing = INSTANT,
) -> TimedReport:
    users = []
    for user in range(point.num_users):
        seed = seed_of(spec, replication, user)
        place = (user + 0.5) / point.num_users - 0.5
        trace = ClarkeTrace(
            point.esno_db + spec.spread_db * place, spec.speed_mps, spec.carrier_hz, seed
        )
        turn = [sizes[picture_of(user, i, len(sizes))] for i in range(len(sizes))]
        users.append(User(trace, poisson_arrivals(frames_per_s, turn, seed)))
    classes = scheme.classes(tags, point.deadlines_s, computing)
    link = scheme.link(spec.bandwidth_hz, spec.transmit_w)
    seed = seed_of(spec, replication, -1)
    return simulate(link, classes, users, _bler(), duration_s, seed)


@functools.cache
def _bler() -> TableBler:
    return TableBler()  # it remembers the curves that it looked up
