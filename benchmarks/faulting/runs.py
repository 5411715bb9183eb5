"""A sweep in a process of its own, what it leaves behind, and what a run without faults leaves."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.commands.main import main
from scmc_comm.images import load_photo, save_png

try:
    import fcntl
except ImportError:
    raise SystemExit("the faults are those of Linux; run it there") from None

LIMIT_S = 120.0
"""A run that takes longer hangs."""
NOTICED_S = 10.0
"""So soon everything has ended once a process of a run was killed."""

_MOST_SAID = 1 << 20

SPEC = """
name: faults
systems: [{systems}]
channels: [rayleigh_block]
esno_db: [6]
rho: [1/2]
metrics: [psnr_db]
images: {images}
num_trials: 60
seed: 7
"""


@dataclass(frozen=True)
class Place:
    """Folders of one run and those that follow it.

    Attributes:
        root: Holds all of them.
        cache: Of finished work; None for one of its own.
    """

    root: Path
    shared_cache: Path | None = None

    @property
    def out(self) -> Path:
        """Of results."""
        return self.root / "out"

    @property
    def cache(self) -> Path:
        """Of finished work."""
        return self.shared_cache or self.root / "cache"

    @property
    def temporary(self) -> Path:
        """Of temporary files."""
        return self.root / "tmp"

    def results(self) -> dict[str, bytes]:
        """Every file of the results by its path."""
        return {str(p.relative_to(self.out)): p.read_bytes() for p in _files(self.out)}

    def left_over(self) -> list[Path]:
        """Temporary files, also those beside results and in the cache."""
        parts = [p for place in (self.out, self.cache) for p in _files(place) if ".tmp" in p.name]
        return parts + _files(self.temporary)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def write_spec(folder: Path, systems: str) -> Path:
    """The sweep of systems that is disturbed, of two small pictures."""
    images = folder / "images"
    images.mkdir(parents=True)
    for name in ("chelsea", "coffee"):
        save_png(load_photo(name, 64), images / f"{name}.png")
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.format(images=images, systems=systems), encoding="utf-8")
    return spec


class Run:
    """``scmc-comm sweep`` in a session of its own.

    Args:
        spec: The sweep.
        place: Where it writes.
        jobs: Worker processes.
        prepare: Called in the child before the command.
    """

    def __init__(
        self, spec: Path, place: Place, jobs: int = 2, prepare: Callable[[], object] | None = None
    ) -> None:
        for folder in (place.root, place.temporary):
            folder.mkdir(parents=True, exist_ok=True)
        self._streams, sink = os.pipe()  # which no limit of files or disks holds up
        fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, _MOST_SAID)
        os.set_blocking(self._streams, False)
        self._said = b""
        arguments = ["sweep", str(spec), "--out", str(place.out), "--jobs", str(jobs)]
        self.begun, self.status = time.monotonic(), None
        self.pid = os.fork()
        if not self.pid:
            _in_child([*arguments, "--no-figures"], place, sink, prepare)
        os.close(sink)

    def wait(self, limit_s: float = LIMIT_S) -> int | None:
        """Exit status, minus the signal that ended it; None if it did not end."""
        end = time.monotonic() + limit_s
        while self.status is None and time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.01)
        return self.status

    def members(self) -> list[int]:
        """Processes of its session that live."""
        return [pid for pid, (_, session, state) in _processes() if session == self.pid and state]

    def workers(self) -> list[int]:
        """Its children, but FFmpeg."""
        return [
            pid for pid, (parent, session, state) in _processes()
            if parent == self.pid and session == self.pid and state and not _is_ffmpeg(pid)
        ]  # fmt: skip

    def emptied(self, limit_s: float = NOTICED_S) -> bool:
        """Do all its processes end in time? Those that do not are killed."""
        end = time.monotonic() + limit_s
        while self.members() and time.monotonic() < end:
            time.sleep(0.05)
        left = self.members()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return not left

    def said(self) -> list[str]:
        """Lines of its streams, without progress bars."""
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self._streams, _MOST_SAID):
                self._said += more
        text = self._said.decode("utf-8", "replace").replace("\r", "\n")
        return [line for line in text.splitlines() if line.strip() and "it/s" not in line]


def _is_ffmpeg(pid: int) -> bool:
    try:
        return b"ffmpeg" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _processes() -> Iterator[tuple[int, tuple[int, int, bool]]]:
    """Each process with its parent, its session and whether it still runs."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        yield int(path.parent.name), (int(fields[1]), int(fields[3]), fields[0] not in "ZX")


def _in_child(
    arguments: list[str], place: Place, sink: int, prepare: Callable[[], object] | None
) -> None:
    """Runs the command and ends as the interpreter does; never returns."""
    status = 1
    try:
        os.setsid()
        os.environ |= {"SCMC_COMM_CACHE": str(place.cache), "TMPDIR": str(place.temporary)}
        tempfile.tempdir = None
        for stream, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, sink), (2, sink)):
            os.dup2(source, stream)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(n, mode, closefd=False) for n, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if prepare is not None:
            prepare()
        main(arguments)
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            threading._shutdown()  # type: ignore[attr-defined]  # pools wait for their workers
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def some_time(number: int, seed: int, most_s: float) -> float:
    """A random time, the same for the same number and seed."""
    return random.Random(f"{seed} {number}").uniform(0.0, most_s)
