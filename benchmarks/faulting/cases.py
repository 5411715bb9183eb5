"""The faults: each case disturbs a run, looks at how it ended, and runs it again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faulting.runs import LIMIT_S, NOTICED_S, Place, Run, some_time, write_spec
from channels.errors import LONGEST
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from experiments.sweeps import load_sweep

try:
    import resource
except ImportError:
    raise SystemExit("the faults are those of Linux; run it there") from None

Problems = list[str]


@dataclass
class Matrix:
    """The sweep, how long it takes, and what it gives undisturbed.

    Attributes:
        folder: Of everything.
        seed: Of the times of faults.
        systems: Of the sweep; FFmpeg codes what vvc sends.
    """

    folder: Path
    seed: int = 1
    systems: str = "jpeg, vvc"
    spec: Path = field(init=False)
    whole: dict[str, bytes] = field(init=False)
    seconds: float = field(init=False)
    _made: int = 0

    def __post_init__(self) -> None:
        self.spec = write_spec(self.folder / "inputs", self.systems)
        place = self.place()
        sweep = load_sweep(self.spec)
        assert isinstance(sweep, SweepSpec)
        run_sweep(sweep, place.root / "here", use_cache=False, progress=False)  # loads all modules
        run = Run(self.spec, place)
        assert run.wait() == 0, run.said()
        self.seconds = time.monotonic() - run.begun
        self.whole = place.results()

    def place(self, cache: Path | None = None) -> Place:
        """Folders that no run has used, but for a cache that is given."""
        self._made += 1
        return Place(self.folder / str(self._made), cache)

    def again(self, place: Place) -> Problems:
        """Runs once more what was disturbed: the results are those of an undisturbed run."""
        run = Run(self.spec, place)
        return self.right(run, place)

    def right(self, run: Run, place: Place) -> Problems:
        """What is wrong with a run that must succeed."""
        status = run.wait()
        found = [] if status == 0 else [f"a run ended with {status}: {run.said()[-3:]}"]
        if not run.emptied():
            found.append("a run left processes")
        if status == 0 and place.results() != self.whole:
            found.append("results differ from those of an undisturbed run")
        if left := place.left_over():
            found.append(f"temporary files are left: {[path.name for path in left][:3]}")
        return found

    def refused(self, run: Run, status: int = 2, says: str = "", limit_s: float = 60) -> Problems:
        """What is wrong with a run that must end in one line."""
        found = run.wait(limit_s)
        problems = [] if found == status else [f"ended with {found}: {run.said()[-4:]}"]
        if not run.emptied():
            problems.append("processes are left")
        lines = [line for line in run.said() if line.startswith("scmc-comm:")]
        if found == status and (len(lines) != 1 or len(lines[0]) > LONGEST + 11):
            problems.append(f"expected one line, got {run.said()[-4:]}")
        elif found == status and (says not in lines[0] or "None" in lines[0]):
            problems.append(f"it does not say {says!r}: {lines[0]}")
        if any(line.startswith("Traceback") for line in run.said()):
            problems.append(f"a traceback: {run.said()[-3:]}")
        return problems

    def right_or_refused(self, run: Run, place: Place) -> Problems:
        """What is wrong with a run that may end in either way."""
        if run.wait() == 0:
            return self.right(run, place)
        return self.refused(run)


def killed(matrix: Matrix, number: int) -> Problems:
    """SIGKILL: nothing of it lives on."""
    return _signalled(matrix, number, signal.SIGKILL, group=False)


def terminated(matrix: Matrix, number: int) -> Problems:
    """SIGTERM, to the program alone or to all its processes, as batch systems do."""
    return _signalled(matrix, number, signal.SIGTERM, group=number % 2 == 1)


def interrupted(matrix: Matrix, number: int) -> Problems:
    """Ctrl-C, which reaches all processes of a terminal: one line says how to go on."""
    return _signalled(matrix, number, signal.SIGINT, group=True)


def _signalled(matrix: Matrix, number: int, which: signal.Signals, group: bool) -> Problems:
    place = matrix.place()
    run = Run(matrix.spec, place)
    time.sleep(0.1 + some_time(number, matrix.seed, matrix.seconds))
    if run.wait(0) is not None:  # it was done before
        return matrix.right(run, place)
    (os.killpg if group else os.kill)(run.pid, which)
    problems = [] if run.wait(NOTICED_S) is not None else ["it does not end"]
    problems += [] if run.emptied() else ["processes are left"]
    if which == signal.SIGINT and run.status != 0:
        problems += matrix.refused(run, 130, "give the same command again")
    return problems + matrix.again(place)


def worker_killed(matrix: Matrix, number: int) -> Problems:
    """One worker is killed, as when memory runs out: noticed in time, in one line."""
    place = matrix.place()
    run = Run(matrix.spec, place)
    end = time.monotonic() + LIMIT_S
    while not (workers := run.workers()) and run.wait(0) is None and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(some_time(number, matrix.seed, matrix.seconds / 2))
    with contextlib.suppress(ProcessLookupError):
        os.kill(workers[number % len(workers)], signal.SIGKILL)
    if run.wait(NOTICED_S) == 0:
        return matrix.right(run, place)
    return matrix.refused(run, says="a worker process died", limit_s=0) + matrix.again(place)


def disk_full(matrix: Matrix, number: int) -> Problems:
    """No room for a file beyond so many bytes; then there is."""
    place, most = matrix.place(), (200, 1000, 4000, 20_000)[number % 4]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    run = Run(matrix.spec, place, 1 + number % 2, limit)
    return matrix.refused(run) + matrix.again(place)


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory; needs root."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def can_mount() -> bool:
    """May this process mount file systems?"""
    if os.geteuid() or shutil.which("mount") is None:
        return False
    try:
        with mounted(Path("/tmp") / f"mounted-{os.getpid()}", "64k"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        with contextlib.suppress(OSError):
            (Path("/tmp") / f"mounted-{os.getpid()}").rmdir()


def small_disk(matrix: Matrix, number: int) -> Problems:
    """The results, or the cache, lie on a disk that is too small; then it is larger."""
    place = matrix.place()
    where = place.out if number % 2 else place.cache
    with mounted(where, "16k" if number % 2 else "40k"):
        problems = matrix.refused(Run(matrix.spec, place))
        subprocess.run(["mount", "-o", "remount,size=64m", where], check=True)
        return problems + matrix.again(place)


def read_only(matrix: Matrix, number: int) -> Problems:
    """The results, or the cache, cannot be written to any more while the run goes on."""
    place = matrix.place()
    where = place.out if number % 2 else place.cache
    with mounted(where, "64m"):
        run = Run(matrix.spec, place)
        time.sleep(0.1 + some_time(number, matrix.seed, matrix.seconds * 0.7))
        subprocess.run(["mount", "-o", "remount,ro", where], check=False)
        problems = matrix.right_or_refused(run, place)
        subprocess.run(["mount", "-o", "remount,rw", where], check=True)
        return problems + matrix.again(place)


def cache_corrupted(matrix: Matrix, number: int) -> Problems:
    """Bytes of what lies in the cache change while the run goes on, and are cut off."""

    def corrupt(path: Path) -> None:
        data = path.read_bytes()
        middle = len(data) // 2
        cut = number % 2
        path.write_bytes(data[:middle] if cut else data[:middle] + b"?" + data[middle + 1 :])

    return _cache_disturbed(matrix, corrupt)


def cache_deleted(matrix: Matrix, number: int) -> Problems:
    """What lies in the cache is deleted while the run goes on: files, or whole folders."""
    return _cache_disturbed(
        matrix, lambda path: shutil.rmtree(path.parent) if number % 2 else path.unlink()
    )


def _cache_disturbed(matrix: Matrix, disturb: Callable[[Path], object]) -> Problems:
    place, done = matrix.place(), threading.Event()
    run = Run(matrix.spec, place)

    def work() -> None:
        while not done.wait(0.02):
            for path in [p for p in place.cache.rglob("*") if p.is_file()][::3]:
                with contextlib.suppress(OSError):
                    disturb(path)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        problems = matrix.right_or_refused(run, place)
    finally:
        done.set()
        thread.join()
    return problems + matrix.again(place)


def one_folder(matrix: Matrix, number: int) -> Problems:
    """Two sweeps into one folder: one goes on, the other is refused in one line."""
    place = matrix.place()
    other = Place(matrix.place().root, place.cache)
    for folder in (other.root, place.out):
        folder.mkdir(parents=True)
    other.out.symlink_to(place.out)
    runs = [Run(matrix.spec, place), Run(matrix.spec, other)]
    ended = [run.wait() for run in runs]
    if 0 not in ended:
        return [f"both ended with {ended}: {runs[0].said()[-2:]} {runs[1].said()[-2:]}"]
    first = ended.index(0)
    problems = matrix.right(runs[first], place)
    if ended != [0, 0]:  # else one came after the other
        problems += matrix.refused(runs[1 - first], says="another run is writing to")
    return problems + matrix.again(place)


def one_cache(matrix: Matrix, number: int) -> Problems:
    """Two sweeps that share a cache."""
    first = matrix.place()
    places = [first, matrix.place(first.cache)]
    runs = [Run(matrix.spec, place) for place in places]
    return [p for run, place in zip(runs, places, strict=True) for p in matrix.right(run, place)]


def stdin_closed(matrix: Matrix, number: int) -> Problems:
    """Standard input is closed."""
    place = matrix.place()
    return matrix.right(Run(matrix.spec, place, 1 + number % 2, lambda: os.close(0)), place)


def two_threads(matrix: Matrix, number: int) -> Problems:
    """Two threads of one program call ``sc.sweep`` at once, into two folders with one cache."""
    places = [matrix.place() for _ in range(2)]

    def sweep_beside() -> None:
        import scmc_comm as sc

        def work() -> None:
            sc.sweep(matrix.spec, places[1].out, jobs=1 + number % 2, progress=False)

        threading.Thread(target=work).start()

    run = Run(matrix.spec, places[0], 1 + number % 2, sweep_beside)
    problems = matrix.right(run, places[0])
    if places[1].results() != matrix.whole:
        problems.append("the results of the other thread differ")
    return problems


CASES: dict[str, tuple[Callable[[Matrix, int], Problems], int]] = {
    "SIGKILL": (killed, 20),
    "SIGTERM": (terminated, 10),
    "Ctrl-C": (interrupted, 10),
    "a worker killed": (worker_killed, 6),
    "files limited": (disk_full, 8),
    "disk full": (small_disk, 4),
    "read-only": (read_only, 8),
    "cache corrupted": (cache_corrupted, 4),
    "cache deleted": (cache_deleted, 4),
    "two into one folder": (one_folder, 4),
    "two with one cache": (one_cache, 2),
    "standard input closed": (stdin_closed, 2),
    "two threads": (two_threads, 2),
}
"""Each fault, and how often the long form does it."""
MOUNTING = (small_disk, read_only)
