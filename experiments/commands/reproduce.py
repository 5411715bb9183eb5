"""``scmc-comm reproduce``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from channels.ranges import Jobs
from experiments.commands.common import AGAIN, AddVerb, Number
from scmc_comm.models import DATA_ENV

if TYPE_CHECKING:
    from experiments.reproduce.spec import ResultSpec

OUT = Path("results/reproduce")


def reproduce(args: argparse.Namespace) -> None:
    """Make the results that README and docs show, and write their numbers into the pages."""
    from experiments.reproduce.pages import differing_pages, differing_pictures, write_pages
    from experiments.reproduce.run import estimate
    from experiments.reproduce.spec import choose, list_results

    chosen = choose(args.names)
    if args.list:
        print(_listing(chosen, args.data))
    elif args.stale:
        _stale(chosen, args.data)
    elif args.estimate:
        for spec in chosen:
            print(f"{spec.name}:")
            sys.stdout.flush()
            estimate(spec, args.out / spec.name, args.data)
    elif args.check:
        found = [path.name for path in differing_pages(list_results())]
        found += differing_pictures(list_results())
        if found:
            sys.exit(f"not what the results' files say: {', '.join(found)}")
    else:
        if not args.render:
            _make(chosen, args)
        for path in write_pages(list_results()):
            print(f"written: {path}")


def _make(chosen: list[ResultSpec], args: argparse.Namespace) -> None:
    """Those named, or else all that are missing or stale, the cheapest first."""
    from experiments.reproduce.provenance import state_of
    from experiments.reproduce.run import cost_s, make, missing_data
    from experiments.statistics.tables import time_text

    named = bool(args.names)
    wanted = [s for s in chosen if named or state_of(s, args.data).word in ("missing", "stale")]
    wanted.sort(key=cost_s)
    able = [s for s in wanted if named or not missing_data(s, args.data)]
    for spec in (s for s in wanted if s not in able):
        print(f"left out: {spec.name}, no {', '.join(missing_data(spec, args.data))} in --data")
    left_s = sum(map(cost_s, able))
    for spec in able:
        each, rest = time_text(cost_s(spec)), time_text(left_s)
        print(f"{spec.name}: {each} of a core, {rest} for all that is left")
        sys.stdout.flush()
        print(f"kept: {make(spec, args.out / spec.name, args.data, args.jobs)}")
        left_s -= cost_s(spec)


def _listing(chosen: list[ResultSpec], data: Path | None) -> str:
    from experiments.reproduce.pages import places
    from experiments.reproduce.provenance import state_of
    from experiments.reproduce.run import cost_s, missing_data
    from experiments.reproduce.spec import list_results
    from experiments.statistics.tables import Table, time_text

    where: Mapping[str, list[str]] = places(list_results())
    rows = [
        [s.name, state_of(s, data).word, time_text(cost_s(s)), ", ".join(where[s.name]),
         ", ".join(missing_data(s, data)), s.title]
        for s in sorted(chosen, key=cost_s)
    ]  # fmt: skip
    total = time_text(sum(map(cost_s, chosen)))
    table = Table(["result", "state", "core time there", "pages", "data lacking", "title"], rows)
    where_made = "on the machines that made them"
    return f"{table.text(160)}\n{len(chosen)} results, {total} of a core in all, {where_made}"


def _stale(chosen: list[ResultSpec], data: Path | None) -> None:
    from experiments.reproduce.provenance import state_of

    for spec in chosen:
        state = state_of(spec, data)
        reasons = list(state.reasons) if state.made else ["never made"]
        reasons += ["other code, which may move no number"] if state.code else []
        for reason in reasons:
            print(f"{spec.name}: {reason}")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("reproduce", reproduce, "reproduce layers --data DIR --jobs 2", AGAIN)
    sub.add_argument("names", nargs="*", metavar="NAME", help="all that are missing or stale")
    what = sub.add_mutually_exclusive_group()
    what.add_argument(
        "--list", action="store_true", help="list results, their state, cost and what they lack"
    )
    what.add_argument("--stale", action="store_true", help="list what was made from something else")
    what.add_argument(
        "--check", action="store_true", help="fail if a page or picture is not what the files say"
    )
    what.add_argument(
        "--estimate", action="store_true", help="what sweeps will cost, after a calibration"
    )
    what.add_argument("--render", action="store_true", help="run nothing, only write the pages")
    data = os.environ.get(DATA_ENV)
    sub.add_argument(
        "--data", type=Path, default=Path(data) if data else None, metavar="DIR",
        help="folder of the data sets ($SCMC_DATA)",
    )  # fmt: skip
    sub.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"work folder ({OUT})")
    sub.add_argument("--jobs", type=Number(Jobs), default=1, help="processes (1)")
