"""``scmc-comm cache info|clear``."""

from __future__ import annotations

import argparse

from channels.errors import no_such
from experiments.commands.common import AddVerb
from scmc_comm.errors import ScmcError


def cache(args: argparse.Namespace) -> None:
    """Say what finished work is kept and where, or delete it."""
    from experiments.execution.cache import default_cache_dir
    from experiments.execution.inventory import KINDS, clear, entries

    for kind in args.kinds:
        if kind not in KINDS:
            raise ScmcError(no_such("kind of entry", kind, KINDS))
    folder = default_cache_dir()
    if args.action == "clear" and (args.kinds or args.yes):
        count, size = clear(folder, args.kinds)
        print(f"deleted {count} entries, {size / 1e6:.1f} MB, in {folder}")
        return
    sizes: dict[str, list[int]] = {kind: [] for kind in args.kinds or KINDS}
    for entry in entries(folder):
        if entry.kind in sizes:
            sizes[entry.kind].append(entry.size)
    print(f"cache: {folder} (the variable SCMC_COMM_CACHE says where)")
    for kind, found in sizes.items():
        print(f"{kind:9}{len(found):9} entries{sum(found) / 1e6:10.1f} MB  {KINDS[kind]}")
    if args.action == "clear":
        raise ScmcError("nothing was deleted; name kinds, or give --yes for all of them")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("cache", cache, "cache info")
    sub.add_argument("action", choices=("info", "clear"))
    sub.add_argument("kinds", nargs="*", metavar="KIND", help="only these (all)")
    sub.add_argument("--yes", action="store_true", help="with 'clear' and no kind: delete all")
