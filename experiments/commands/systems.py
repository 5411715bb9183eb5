"""``scmc-comm systems``."""

from __future__ import annotations

import argparse

from experiments.commands.channels import describe
from experiments.commands.common import AddVerb, listed, origin


def systems(args: argparse.Namespace) -> None:
    """List the systems, or some of them with options, units, defaults and sources."""
    from scmc_comm.registry import SYSTEMS, find_system, make_system
    from scmc_comm.types import CODEC_ALIASES

    if not args.names:
        width = max(map(len, SYSTEMS))
        for name in SYSTEMS:
            print(listed(SYSTEMS, name, SYSTEMS[name].summary, width))
        aliases = (f"{alias} = {name}" for alias, name in CODEC_ALIASES.items())
        print(f"\naliases: {', '.join(aliases)}")
        print("written NAME:key=value,key=value; scmc-comm systems NAME lists the keys")
        return
    entries = [(name, find_system(name)) for name in args.names]
    for name, entry in entries:
        known = ", ".join(sorted(make_system(name).side_information)) or "none"
        where = origin(SYSTEMS, CODEC_ALIASES.get(name, name))
        about = f"{entry.summary}{where}; transmitter side information by default: {known}"
        print("\n".join(describe(name, entry.load(), about)))
        if entry.layered is not None:
            print("\n".join(describe(f"{name}:layers=N", entry.load(layered=True), "in layers")))


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("systems", systems, "systems scmc vvc")
    sub.add_argument("names", nargs="*", metavar="NAME", help="only these systems, in full (all)")
