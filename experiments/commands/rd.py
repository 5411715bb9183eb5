"""``scmc-comm rd``."""

from __future__ import annotations

import argparse
from pathlib import Path

from channels.ranges import Jobs
from experiments.commands.common import (
    AGAIN,
    COUNT,
    AddVerb,
    Number,
    add_out,
    said_cost,
    some_names,
)
from experiments.execution.devices import add_device

CODECS = "scmc,jpeg,webp,jpeg2000,avif,hevc,vvc"


def rd(args: argparse.Namespace) -> None:
    """Compare codecs: rate against distortion and perception, BD-rates, times."""
    from experiments.execution.output import only_writer
    from experiments.figures.rd import plot_rd
    from experiments.rd.run import RdSpec, forecast_rd, run_rd

    spec = RdSpec(
        args.codecs, args.images, args.limit, args.reference, args.bpp, args.anchors, args.metrics
    )
    if said_cost(args, forecast_rd(spec, args.estimate)):
        return
    with only_writer(args.out):
        tables = run_rd(spec, args.out, args.jobs, overwrite=args.overwrite)
        plot_rd(args.out)
    print(tables.read_text(encoding="utf-8"))
    print(f"tables: {tables}, {args.out}/*.csv, {args.out}/*.tex")
    print(f"figures: {args.out / 'figures'}")


def _window(text: str) -> tuple[float, float]:
    low, mark, high = text.partition(":")
    try:
        if mark:
            return float(low or 0), float(high or "inf")
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"{text!r} is no range of rates; write LOW:HIGH as in 0.01:0.3"
    )


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb(
        "rd", rd, "rd --codecs scmc,jpeg,vvc --images photos --out results/rd --jobs 2", AGAIN
    )
    sub.add_argument(
        "--codecs",
        type=some_names,
        default=CODECS,
        help=f"comma-separated ({CODECS}); NAME:headers=file counts headers",
    )
    sub.add_argument("--images", required=True, help="'photos' (built in) or a folder of pictures")
    add_out(sub)
    sub.add_argument(
        "--overwrite", action="store_true", help="replace the results of another spec in --out"
    )
    sub.add_argument("--limit", type=COUNT, metavar="N", help="only the first N pictures (all)")
    sub.add_argument("--jobs", type=Number(Jobs), default=1, help="processes (1: times are truest)")
    sub.add_argument(
        "--reference", type=some_names, help="codecs that BD-rates are against (jpeg and vvc)"
    )
    sub.add_argument(
        "--bpp",
        type=_window,
        default=(0.0, float("inf")),
        metavar="LOW:HIGH",
        help="rates that BD-rates look at (all)",
    )
    sub.add_argument(
        "--metrics",
        type=some_names,
        help="comma-separated (psnr_db, ms_ssim, lpips, dists; also lpips_vgg and a plug-in's)",
    )
    sub.add_argument("--anchors", type=Path, help="JSON of published curves, drawn as thin lines")
    add_device(sub)
