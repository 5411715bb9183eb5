"""What the verbs of the command line share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from channels.registry import BUILT_IN, Registry
from experiments.specs import number

if TYPE_CHECKING:
    from scmc_comm.types import Reconstruction

Command = Callable[[argparse.Namespace], None]
AddVerb = Callable[[str, Command, str], argparse.ArgumentParser]
"""``verb(name, function, example)`` makes a verb; the function's docstring is its help."""


def bandwidth_ratio(text: str) -> float:
    """A ratio written as a number or a fraction such as 1/16."""
    try:
        return number(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a bandwidth ratio; write a number or a fraction such as 1/16"
        ) from None


def origin(registry: Registry[Any], name: str) -> str:
    """Where a component comes from, behind its description; nothing for a built-in one."""
    found = registry.origin(name)
    return "" if found == BUILT_IN else f" [{found}]"


def listed(registry: Registry[Any], name: str, about: str = "", width: int = 0) -> str:
    """A component's line in a list."""
    return f"{name:{width}}  {about}{origin(registry, name)}".rstrip()


def say_shown(shown: Reconstruction) -> None:
    """Print what a receiver shows: the level reached, and the caption if there is one."""
    print(f"shown from: {'none, mid-grey' if shown.level is None else shown.level.tag}")
    if shown.caption is not None:
        print(f"caption: {shown.caption}")
