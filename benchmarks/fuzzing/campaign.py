"""Mutated inputs, read in child processes that a watchdog ends and starts anew."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmarks.fuzzing.mutations import mutated
from channels.errors import LONGEST, ChannelError
from scmc_comm.errors import ScmcError

try:
    import resource
except ImportError:
    raise SystemExit("mutated inputs are read on Linux alone; run it there") from None

_BATCH = 250
DECODED, REFUSED, FAILED = "decoded", "refused", "failed"


@dataclass(frozen=True)
class Kind:
    """One reader of bytes from outside.

    Attributes:
        name: What it reads.
        seeds: Inputs that it reads.
        read: Reads one; raises ScmcError or ChannelError if it is damaged.
        share: Of all inputs of a campaign, relative to the other kinds.
        text: Are inputs texts?
        repair: Puts checksums right that hide what lies behind them; done to two of three inputs.
        limit_s: Seconds that an input may take.
        limit_mib: Memory that it may take beyond what the process holds.
    """

    name: str
    seeds: tuple[bytes, ...]
    read: Callable[[bytes], object]
    share: float
    text: bool = False
    repair: Callable[[bytes], bytes] | None = None
    limit_s: float = 10.0
    limit_mib: int = 512

    def input(self, seed: int, number: int) -> bytes:
        """The input of a number, of a campaign of a seed."""
        rng = random.Random(f"{seed} {self.name} {number}")
        data = mutated(self.seeds, self.text, rng)
        return self.repair(data) if self.repair and rng.random() < 0.67 else data


@dataclass
class Count:
    """What became of the inputs of a kind."""

    inputs: int = 0
    decoded: int = 0
    refused: int = 0
    failed: int = 0
    slowest_ms: float = 0.0
    peak_mib: float = 0.0
    seconds: float = 0.0

    def add(self, outcome: str, seconds: float, peak_mib: float) -> None:
        """Count one input."""
        self.inputs += 1
        setattr(self, outcome, getattr(self, outcome) + 1)
        self.seconds += seconds
        self.slowest_ms = max(self.slowest_ms, 1e3 * seconds)
        self.peak_mib = max(self.peak_mib, peak_mib)


@dataclass(frozen=True)
class Failure:
    """An input that was neither decoded nor refused.

    Attributes:
        kind, number: Which input, of the campaign's seed.
        why: A traceback, or how the process ended.
    """

    kind: str
    number: int
    why: str


@dataclass(frozen=True)
class Job:
    """Inputs ``start`` to ``stop`` of a kind."""

    kind: Kind
    start: int
    stop: int


def jobs_of(kinds: Sequence[Kind], num_inputs: int) -> list[Job]:
    """Batches of so many inputs in all, each kind's share spread over the whole campaign."""
    total, found = sum(kind.share for kind in kinds), []
    for kind in kinds:
        count = max(1, round(num_inputs * kind.share / total))
        for start in range(0, count, _BATCH):
            found.append((start / count, Job(kind, start, min(start + _BATCH, count))))
    return [job for _, job in sorted(found, key=lambda at: (at[0], at[1].kind.name))]


class NoRefusalError(Exception):
    """An error message that a terminal does not survive, or memory beyond the limit."""


def outcome_of(kind: Kind, data: bytes) -> str:
    """Reads an input: decoded or refused; anything else is raised."""
    try:
        kind.read(data)
    except (ScmcError, ChannelError) as error:
        said, cause = str(error), error.__cause__ or error.__context__
        if isinstance(cause, MemoryError):
            raise NoRefusalError("memory ran out before it was refused") from error
        if not said or len(said) > LONGEST or not said.isprintable():
            raise NoRefusalError(f"the refusal is {len(said)} characters: {said!r}") from error
        return REFUSED
    return DECODED


@dataclass
class _Worker:
    """A child at a job: it answers for one input after the other."""

    process: multiprocessing.Process
    pipe: Connection
    job: Job
    number: int
    since: float = field(default_factory=time.monotonic)
    silent: bool = False

    def end(self) -> int | None:
        """Kills the child and what it started."""
        if self.process.is_alive():
            os.killpg(self.process.pid, signal.SIGKILL)  # type: ignore[type-var]
        self.process.join()
        self.pipe.close()
        return self.process.exitcode


def run(
    jobs: Sequence[Job], seed: int, num_workers: int, minutes: float | None = None
) -> tuple[dict[str, Count], list[Failure]]:
    """Reads the inputs of jobs.

    Args:
        jobs: From :func:`jobs_of`.
        seed: Of the campaign.
        num_workers: Children at a time.
        minutes: After which no more jobs are begun.
    """
    counts, failures = {job.kind.name: Count() for job in jobs}, list[Failure]()
    waiting, workers = iter(jobs), list[_Worker]()
    end = time.monotonic() + 60 * minutes if minutes else float("inf")
    try:
        while True:
            while len(workers) < num_workers and time.monotonic() < end:
                job = next(waiting, None)
                if job is None:
                    break
                workers.append(_started(job, seed))
            if not workers:
                return counts, failures
            wait([worker.pipe for worker in workers], timeout=0.1)
            for worker in list(workers):
                for outcome, seconds, peak, why in _answers(worker):
                    counts[worker.job.kind.name].add(outcome, seconds, peak)
                    if why:
                        failures.append(Failure(worker.job.kind.name, worker.number, why))
                    worker.number, worker.since = worker.number + 1, time.monotonic()
                ended = _ended(worker)
                if ended is None:
                    continue
                workers.remove(worker)
                kind, rest = worker.job.kind, worker.number
                if ended:
                    counts[kind.name].add(FAILED, time.monotonic() - worker.since, 0.0)
                    failures.append(Failure(kind.name, rest, ended))
                    rest += 1
                if rest < worker.job.stop:
                    workers.append(_started(Job(kind, rest, worker.job.stop), seed))
    finally:
        for worker in workers:
            worker.end()


def _started(job: Job, seed: int) -> _Worker:
    context = multiprocessing.get_context("fork")  # it shares the networks that are loaded
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, seed, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, job, job.start)


def _answers(worker: _Worker) -> Iterator[tuple[str, float, float, str]]:
    try:
        while worker.pipe.poll():
            yield worker.pipe.recv()
    except EOFError:
        worker.silent = True


def _ended(worker: _Worker) -> str | None:
    """None while the child works, "" when its job is done, else how it failed."""
    if worker.number == worker.job.stop:
        worker.process.join(5)
        worker.end()
        return ""
    if time.monotonic() - worker.since > worker.job.kind.limit_s:
        worker.end()
        return f"it took longer than {worker.job.kind.limit_s:g} s\n"
    if not worker.silent:
        return None
    worker.process.join()
    return f"the process ended with status {worker.end()}\n"


def _work(job: Job, seed: int, pipe: Connection) -> None:
    os.setpgid(0, 0)
    with open(os.devnull, "r+") as nowhere:  # libraries' words and warnings
        for number in (0, 1, 2):
            os.dup2(nowhere.fileno(), number)
    faulthandler.disable()  # a test's
    kind, held = job.kind, _status_mib("VmRSS")
    room = int((_status_mib("VmSize") + 4 * kind.limit_mib) * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/clear_refs").write_bytes(b"5")  # the peak counts from here
    for number in range(job.start, job.stop):
        data, why, begun = kind.input(seed, number), "", time.monotonic()
        try:
            outcome = outcome_of(kind, data)
        except BaseException:
            outcome, why = FAILED, traceback.format_exc()
        seconds, peak = time.monotonic() - begun, max(_status_mib("VmHWM") - held, 0.0)
        if peak > kind.limit_mib and not why:
            outcome, why = FAILED, f"it took {peak:.0f} MiB; the limit is {kind.limit_mib}\n"
        if peak > kind.limit_mib:
            Path("/proc/self/clear_refs").write_bytes(b"5")
        pipe.send((outcome, seconds, peak, why))


def _status_mib(key: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(key)
