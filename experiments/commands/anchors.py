"""``scmc-comm anchors``."""

from __future__ import annotations

import argparse
from pathlib import Path

from channels.ranges import Jobs
from experiments.commands.common import AGAIN, AddVerb, Number, add_out, said_cost
from experiments.execution.devices import add_device

CODECS = "jpeg-plain,jpeg:headers=file,vvc:headers=file"


def anchors(args: argparse.Namespace) -> None:
    """Hold codec + capacity on the Kodak pictures against published values."""
    from experiments.rd.capacity import cells, forecast_anchors, run_anchors

    names = tuple(name.strip() for name in args.codecs.split(",") if name.strip())
    if said_cost(args, forecast_anchors(args.images, names, args.estimate)):
        return
    table = run_anchors(args.images, args.out, names, args.curves, args.jobs)
    print(cells(table).markdown())
    judged = table[table.result != "no limit"]
    passed = int((judged.result == "pass").sum())
    print(f"{passed} of {len(judged)} within tolerance; {args.out / 'anchors.csv'}")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("anchors", anchors, "anchors --images kodak --out results/anchors --jobs 2", AGAIN)
    sub.add_argument("--images", required=True, help="folder of the 24 Kodak pictures")
    add_out(sub)
    sub.add_argument("--codecs", default=CODECS, help=f"comma-separated ({CODECS})")
    sub.add_argument("--curves", type=Path, help="JSON of published curves, to read them anew")
    sub.add_argument("--jobs", type=Number(Jobs), default=1, help="processes (1)")
    add_device(sub)
