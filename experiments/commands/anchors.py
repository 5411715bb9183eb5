"""``scmc-comm anchors``."""

from __future__ import annotations

import argparse
from pathlib import Path

from channels.ranges import Jobs
from experiments.commands.common import AGAIN, AddVerb, Number
from experiments.execution.devices import add_device

CODECS = "jpeg-plain,jpeg:headers=file,vvc:headers=file"


def anchors(args: argparse.Namespace) -> None:
    """Hold codec + capacity on the Kodak pictures against published values."""
    from experiments.rd.capacity import cells, run_anchors

    names = tuple(name.strip() for name in args.codecs.split(",") if name.strip())
    table = run_anchors(args.images, args.out, names, args.curves, args.jobs)
    print(cells(table).markdown())
    judged = table[table.result != "no limit"]
    passed = int((judged.result == "pass").sum())
    print(f"{passed} of {len(judged)} within tolerance; {args.out / 'anchors.csv'}")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("anchors", anchors, "anchors --images kodak --out results/anchors --jobs 2", AGAIN)
    sub.add_argument("--images", required=True, help="folder of the 24 Kodak pictures")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub.add_argument("--codecs", default=CODECS, help=f"comma-separated ({CODECS})")
    sub.add_argument("--curves", type=Path, help="JSON of published curves, to read them anew")
    sub.add_argument("--jobs", type=Number(Jobs), default=1, help="processes (1)")
    add_device(sub)
