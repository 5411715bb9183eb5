"""``scmc-comm compare``."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.commands.common import AddVerb, some_names


def compare(args: argparse.Namespace) -> None:
    """Compare two finished sweeps, or systems of one: paired differences, Bjontegaard deltas."""
    from experiments.execution.cache import write_atomic
    from experiments.execution.output import check_ending, check_files, check_folder
    from experiments.figures.style import save_figure
    from experiments.report.compare import compare as compared

    check_files(args.output)
    check_ending(args.output, ".csv")
    deltas = args.output and args.output.with_name(f"{args.output.stem}_bd{args.output.suffix}")
    check_files(args.output, deltas)
    if args.figures is not None:
        check_folder(args.figures)
    found = compared(args.a, args.b, args.systems)
    print(found.text)
    if args.output is not None:
        write_atomic(args.output, found.differences.to_csv(index=False).encode())
        write_atomic(deltas, found.deltas.to_csv(index=False).encode())
        print(f"\n{args.output}\n{deltas}")
    if args.figures is not None:
        for chart in found.charts:
            print(*save_figure(chart.draw(), args.figures, chart.stem), sep="\n")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("compare", compare, "compare results/snr --systems scmc,vvc:mcs=adaptive")
    sub.add_argument("a", type=Path, metavar="A", help="output folder of a sweep")
    sub.add_argument(
        "b", type=Path, nargs="?", metavar="B",
        help="of another sweep of the same pictures; without it systems of A are compared",
    )  # fmt: skip
    sub.add_argument(
        "--systems", type=some_names, default=(), metavar="X,Y",
        help="X against Y; of two folders X of A against Y of B. Without it the first of A against "
        "its others, or each system of both folders against itself",
    )  # fmt: skip
    sub.add_argument(
        "-o", "--output", type=Path, metavar="FILE.csv",
        help="the differences; the deltas go to FILE_bd.csv",
    )  # fmt: skip
    sub.add_argument(
        "--figures", type=Path, metavar="DIR", help="draw the differences against SNR into DIR"
    )
