"""What the verbs of the command line share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from scmc_comm.types import Reconstruction

Command = Callable[[argparse.Namespace], None]
AddVerb = Callable[[str, Command, str], argparse.ArgumentParser]
"""``verb(name, function, example)`` makes a verb; the function's docstring is its help."""


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, into a folder that is there."""
    from experiments.execution.cache import write_atomic

    if not path.parent.is_dir():
        raise ScmcError(f"no folder {path.parent} for {path.name}; create it first")
    write_atomic(path, data)


def bandwidth_ratio(text: str) -> float:
    """A ratio written as a number or a fraction such as 1/16."""
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a bandwidth ratio; write a number or a fraction such as 1/16"
        ) from None


def say_shown(shown: Reconstruction) -> None:
    """Print what a receiver shows: the level reached, and the caption if there is one."""
    print(f"level: {'none, mid-grey' if shown.level is None else shown.level.tag}")
    if shown.caption is not None:
        print(f"caption: {shown.caption}")
