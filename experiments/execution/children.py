"""Commands in processes of their own, which end when the one that runs them is told to."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

_STOPPING_S = 30.0


def call(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: Any = None,
    stderr: Any = None,
) -> int:
    """Runs a command to its end.

    SIGTERM, which batch systems send to one process, is passed on to it. Ctrl-C reaches it by
    itself, and it has half a minute to stop.

    Args:
        command: A program and its arguments.
        env: Its environment; this process's if None.
        cwd: The folder that it runs in; this process's if None.
        stdout: As `subprocess.Popen` takes it.
        stderr: Likewise.

    Returns:
        Its exit status; the negative of a signal that ended it.

    Example:
        >>> import sys
        >>> call([sys.executable, "-c", "raise SystemExit(3)"])
        3
    """
    process = subprocess.Popen(command, env=env, cwd=cwd, stdout=stdout, stderr=stderr)

    def pass_on(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    main = threading.current_thread() is threading.main_thread()  # others take no signals
    before = signal.signal(signal.SIGTERM, pass_on) if main else None
    try:
        return process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOPPING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
