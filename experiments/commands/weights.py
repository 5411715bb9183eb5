"""``scmc-comm weights list|fetch|verify``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from channels.errors import no_such
from experiments.commands.common import AddVerb
from experiments.execution.devices import add_device
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from scmc_comm.zoo.catalog import Weights

# Weights under a learned metric, and the metrics whose check values they make.
_METRICS = {"alexnet": ("lpips",), "vgg16": ("lpips_vgg", "dists")}


def weights(args: argparse.Namespace) -> None:
    """List, fetch or verify the weights of the metrics and of the codec."""
    from scmc_comm.zoo.catalog import catalog

    entries = catalog()
    for name in args.names:
        if name not in entries:
            raise ScmcError(no_such("weights file", name, entries))
    chosen = [entries[name] for name in args.names or entries]
    {"list": _list, "fetch": _fetch, "verify": _verify}[args.action](chosen, bool(args.names))


def _list(chosen: Sequence[Weights], named: bool) -> None:
    for entry in chosen:
        path = entry.found
        where = f"missing: {entry.fix}" if path is None else str(path)
        size = "" if path is None else f"{path.stat().st_size / 1e6:.1f} MB"
        print(f"{entry.name:<10} {size:>8}  {entry.purpose}\n{'':20} {where}")


def _fetch(chosen: Sequence[Weights], named: bool) -> None:
    """What only pip brings is passed over unless it was asked for by name."""

    def fetch(entry: Weights) -> str:
        there = entry.found is not None
        if entry.fetch is not None:
            entry.fetch()
        elif not there:
            raise ScmcError(entry.fix)
        return f"{'already there' if there else 'fetched'}: {entry.path()}"

    wanted = [entry for entry in chosen if named or entry.fetch is not None]
    if failed := _failed(wanted, fetch, "missing"):
        raise ScmcError(f"could not fetch {', '.join(failed)}; see the reasons above")


def _verify(chosen: Sequence[Weights], named: bool) -> None:
    """What is missing is a failure only if it was asked for by name: not everybody needs all."""
    from scmc_comm.metrics.check_values import check_metric

    def verify(entry: Weights) -> str:
        if entry.found is None and not named:
            return f"missing: {entry.fix}"
        facts = [entry.verify()]
        facts += [f"{m} {check_metric(m):.4f}" for m in _METRICS.get(entry.name, ())]
        return f"ok: {', '.join(facts)}"

    if failed := _failed(chosen, verify, "WRONG"):
        raise ScmcError(f"{', '.join(failed)} not as expected; see the reasons above")


def _failed(entries: Sequence[Weights], act: Callable[[Weights], str], wrong: str) -> list[str]:
    """Act on each and say what came of it; names of those at which it failed."""
    failed = []
    for entry in entries:
        try:
            said = act(entry)
        except ScmcError as error:
            failed.append(entry.name)
            said = f"{wrong}: {error}"
        print(f"{entry.name:<10} {said}")
    return failed


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("weights", weights, "weights fetch alexnet vgg16")
    sub.add_argument("action", choices=("list", "fetch", "verify"))
    sub.add_argument("names", nargs="*", metavar="NAME", help="which (all; 'list' names them)")
    add_device(sub)
