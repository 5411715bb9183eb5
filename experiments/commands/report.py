"""``scmc-comm report``."""

from __future__ import annotations

import argparse
from pathlib import Path

from channels.ranges import Decibels
from experiments.commands.common import COUNT, AddVerb, Number


def report(args: argparse.Namespace) -> None:
    """Write finished sweeps as one page (HTML), a PDF and figures for print."""
    from experiments.report.build import ReportSpec, write_report

    spec = ReportSpec(
        tuple(args.dir), args.out, args.run_checks, args.reference, args.threshold, args.rd,
        args.anchors, args.explorer,
    )  # fmt: skip
    page, pdf, files = write_report(spec)
    print(f"page: {page}\npdf (by matplotlib): {pdf}\nfigures, numbers, LaTeX: {files}")
    for explorer in sorted(files.glob("*/explorer.html")) if args.explorer else ():
        print(f"explorer: {explorer}")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb(
        "report",
        report,
        "report results/snr --out results/report.html",
        "give the same command again; nothing of the sweeps is lost",
    )
    sub.add_argument("dir", type=Path, nargs="+", metavar="DIR", help="output folder of a sweep")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE.html")
    sub.add_argument(
        "--run-checks", action="store_true", help="run the tests that keep known mistakes out"
    )
    sub.add_argument(
        "--reference",
        metavar="SYSTEM",
        help="what BD figures are against (VVC, with adaptive MCS if it is there)",
    )
    sub.add_argument(
        "--threshold", type=Number(Decibels), metavar="DB", help="PSNR that must hold (half way up)"
    )
    sub.add_argument("--rd", type=Path, metavar="DIR", help="of 'scmc-comm rd': times, parameters")
    sub.add_argument("--anchors", type=Path, metavar="DIR", help="of 'scmc-comm anchors'")
    sub.add_argument(
        "--explorer", type=COUNT, nargs="?", const=2, default=0, metavar="IMAGES",
        help="a page beside it to look at what each system delivers of the first IMAGES (2), with "
        "a slider for the SNR",
    )  # fmt: skip
