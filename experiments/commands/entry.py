"""The program's start: streams that are closed, and Ctrl-C while its modules are read."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """`experiments.commands.main.main`; Ctrl-C is one line and exit status 130 from here on."""
    try:
        open_closed_streams()
        from experiments.commands.main import main as run

        run()
    except KeyboardInterrupt:
        print("scmc-comm: stopped", file=sys.stderr)
        sys.exit(130)


def open_closed_streams() -> None:
    """Standard streams that were closed lead nowhere: no file that is written takes their place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
