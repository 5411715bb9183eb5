"""``scmc-comm channels``."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterable
from typing import Any

from channels.errors import no_such
from experiments.commands.common import AddVerb, origin
from scmc_comm.errors import ScmcError

WIDTH, COLUMN = 100, 42


def channels(args: argparse.Namespace) -> None:
    """List the channels and the parts of an OFDM link with parameters, units and sources."""
    from channels.fading.models import CHANNELS
    from channels.ofdm.grid import OfdmGrid
    from channels.ofdm.impairments import Impairments
    from channels.phy.ofdm import OfdmPhy

    names = args.names or list(CHANNELS)
    for name in names:
        if name not in CHANNELS:
            raise ScmcError(no_such("channel", name, CHANNELS))
    for name in names:
        print("\n".join(describe(name, CHANNELS[name], where=origin(CHANNELS, name))))
    if not args.names:
        print("OFDM link: the keys of channels.phy.ofdm.OfdmPhy.from_spec\n")
        parts = {"receiver": OfdmPhy, "grid": OfdmGrid, "impairments": Impairments}
        for name, owner in parts.items():
            print("\n".join(describe(name, owner)))


def describe(name: str, cls: Any, about: str = "", where: str = "") -> Iterable[str]:
    """Name, summary, source and a line for each parameter of a component."""
    from channels.specs import parameters, source, summary

    head = f"{name}: {about or summary(cls)}{where}"
    yield from textwrap.wrap(head, WIDTH, subsequent_indent=" " * 12)
    if source(cls):
        yield from textwrap.wrap(f"    source: {source(cls)}", WIDTH, subsequent_indent=" " * 12)
    for parameter in parameters(cls):
        if parameter.name in ("grid", "impairments"):  # listed as parts of their own
            continue
        given = "required" if parameter.default is None else parameter.default or "unset"
        given = given.lower() if given in ("True", "False") else given
        allowed = f" [{parameter.range}]" if parameter.range else ""
        head = f"    {parameter.name}={given} {parameter.unit}".rstrip()
        yield from textwrap.wrap(
            f"{head:{COLUMN - 1}} {plain(parameter.meaning)}{allowed}",
            WIDTH,
            subsequent_indent=" " * COLUMN,
            break_on_hyphens=False,
        )
    yield ""


def plain(text: str) -> str:
    """A docstring's words for a terminal.

    >>> plain("``a`` or None (:func:`b.c`)")
    'a or unset (b.c)'
    """
    return re.sub(r"\bNone\b", "unset", re.sub(r"(:\w+:)?`+([^`]*)`+", r"\2", text))


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("channels", channels, "channels tdl clarke")
    sub.add_argument("names", nargs="*", metavar="NAME", help="only these channels (all)")
