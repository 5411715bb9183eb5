"""``scmc-comm cache info|clear|merge``."""

from __future__ import annotations

import argparse
from pathlib import Path

from channels.errors import no_such
from experiments.commands.common import AddVerb
from scmc_comm.errors import ScmcError


def cache(args: argparse.Namespace) -> None:
    """Say what finished work is kept and where, delete it, or take in that of other folders."""
    from experiments.execution.cache import default_cache_dir
    from experiments.execution.inventory import KINDS, clear, entries

    if args.action == "merge":
        _merge(args.names)
        return
    for kind in args.names:
        if kind not in KINDS:
            raise ScmcError(no_such("kind of entry", kind, KINDS))
    folder = default_cache_dir()
    if args.action == "clear" and (args.names or args.yes):
        count, size = clear(folder, args.names)
        print(f"deleted {count} entries, {size / 1e6:.1f} MB, in {folder}")
        return
    sizes: dict[str, list[int]] = {kind: [] for kind in args.names or KINDS}
    for entry in entries(folder):
        if entry.kind in sizes:
            sizes[entry.kind].append(entry.size)
    print(f"cache: {folder} (the variable SCMC_COMM_CACHE says where)")
    for kind, found in sizes.items():
        print(f"{kind:9}{len(found):9} entries{sum(found) / 1e6:10.1f} MB  {KINDS[kind]}")
    if args.action == "clear":
        raise ScmcError("nothing was deleted; name kinds, or give --yes for all of them")


_FOLDER = "give the cache folder of another machine, as 'cache info' names it there"


def _merge(names: list[str]) -> None:
    from experiments.execution.cache import default_cache_dir
    from experiments.execution.inventory import entries, merge

    if not names:
        raise ScmcError("cache merge takes the folders whose entries are copied; give some")
    folders = [Path(name) for name in names]
    for folder in folders:
        if not folder.is_dir():
            raise ScmcError(f"{folder} is no folder; {_FOLDER}")
        if any(folder.iterdir()) and not any(entries(folder)):
            raise ScmcError(f"{folder} holds no entries of a cache; {_FOLDER}")
    for folder in folders:
        print(f"{folder}: {merge(folder, default_cache_dir())} new entries")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("cache", cache, "cache info")
    sub.add_argument("action", choices=("info", "clear", "merge"))
    sub.add_argument(
        "names", nargs="*", metavar="KIND|DIR", help="of info and clear: only these kinds (all); "
        "of merge: cache folders that are copied into this one",
    )  # fmt: skip
    sub.add_argument("--yes", action="store_true", help="with 'clear' and no kind: delete all")
