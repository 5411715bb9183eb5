"""What the verbs of the command line share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from channels.errors import printable
from channels.ranges import Range
from channels.registry import BUILT_IN, Registry
from channels.specs import range_of, split_specs, type_name
from experiments.specs import convert
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import MAX_PIXELS
from scmc_comm.ranges import MaxPixels, Rho

if TYPE_CHECKING:
    from scmc_comm.types import Reconstruction

Command = Callable[[argparse.Namespace], None]
AGAIN = "give the same command again, and it goes on: finished work is kept in the cache"
"""What to do after Ctrl-C, where that is so."""


class AddVerb(Protocol):
    """Makes a verb."""

    def __call__(
        self, name: str, run: Command, example: str, resume: str = ""
    ) -> argparse.ArgumentParser:
        """Its help is the function's docstring, an example, and how to go on after Ctrl-C."""


@dataclass(frozen=True)
class Number:
    """Reads an option's number and refuses one out of its range, which the help tells.

    Attributes:
        kind: A type with its range, such as `channels.ranges.Seed`.

    Example:
        >>> from channels.ranges import Seed
        >>> Number(Seed)("3")
        3
    """

    kind: Any

    def __call__(self, text: str) -> Any:
        """The number; argparse's error with the range where it is none or out of it."""
        try:
            return convert(self.kind, text)
        except (ValueError, ZeroDivisionError, OverflowError):
            expected = type_name(self.kind)
            if self.kind is Rho:
                expected = f"a bandwidth ratio, {range_of(Rho)}, such as 1/16"
            raise argparse.ArgumentTypeError(
                f"{printable(text, 60)!r} is not right; expected {expected}"
            ) from None


def some_names(text: str) -> tuple[str, ...]:
    """The components of a comma-separated list, which has one at least."""
    if not (found := tuple(split_specs(text))):
        raise argparse.ArgumentTypeError(f"{printable(text, 60)!r} names none")
    return found


bandwidth_ratio = Number(Rho)
"""A ratio written as a number or a fraction such as 1/16."""
COUNT = Number(Annotated[int, Range(1, 10_000_000)])


def add_max_pixels(sub: argparse.ArgumentParser) -> None:
    """Add the limit on the size of a picture; `experiments.commands.main` keeps to it."""
    sub.add_argument(
        "--max-pixels", type=Number(MaxPixels), metavar="N",
        help=f"refuse a picture of more pixels ({MAX_PIXELS}, less for files of a few bytes)",
    )  # fmt: skip


class Cost(Protocol):
    """What a run will cost."""

    def text(self, jobs: int) -> str:
        """In lines, with so many processes."""


def add_out(sub: argparse.ArgumentParser) -> None:
    """Add the folder of the results, and ``--estimate`` in place of them."""
    sub.add_argument("--out", type=Path, metavar="DIR", help="folder of the results")
    sub.add_argument(
        "--estimate", action="store_true", help="measure a part of each system, codec or scheme, "
        "say what all will cost and what is left to do, and run nothing",
    )  # fmt: skip


def said_cost(args: argparse.Namespace, cost: Cost | None) -> bool:
    """Print what a run will cost, where that is known; was that all that was asked for?

    Raises:
        ScmcError: There is no folder for the results of the run.
    """
    if cost is not None:
        print(cost.text(args.jobs), flush=True)
    if not args.estimate and args.out is None:
        raise ScmcError("--out is missing; give the folder of the results")
    return bool(args.estimate)


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
        print(f"caption: {printable(shown.caption)}")
