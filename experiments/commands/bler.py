"""``scmc-comm bler``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated

from channels.ranges import Jobs, Range, Seed, Share
from experiments.commands.common import COUNT, AddVerb, Number


def bler(args: argparse.Namespace) -> None:
    """Measure block error rates over AWGN; stop and call again to go on where it stopped."""
    from joblib import cpu_count

    from channels.bler.measure import BLOCK_BITS, Stopping, curve_keys
    from channels.bler.run import run
    from channels.bler.table import curve_esno_db
    from experiments.execution.output import check_ending, check_files
    from scmc_comm.link.mcs import MCS_GRID

    check_ending(args.out, ".npz")
    check_files(args.out)
    jobs = args.jobs or cpu_count()
    keys = curve_keys(args.mcs or MCS_GRID, args.bits or BLOCK_BITS)
    stopping = Stopping(args.errors, args.min_bler, args.max_bits)
    table = run(keys, stopping, args.out, args.seed, args.decoder, jobs)
    print("bits/symbol  code rate  block bits  Es/N0 at BLER 1e-2  measured down to")
    for key in keys:
        esno_db, rate = table.curves[key].monotone()
        at_db = f"{curve_esno_db(esno_db, rate, 1e-2):.2f} dB" if rate[-1] <= 1e-2 else "beyond"
        print(
            f"{key.num_bits_per_symbol:11d}  {key.coderate:9.4f}  {key.block_bits:10d}  "
            f"{at_db:>18}  {rate[-1]:16.1e}"
        )
    print(f"{args.out}: {len(table.curves)} curves, {args.out.stat().st_size} bytes")


def _scheme(text: str) -> object:
    from channels.types import Mcs

    try:
        bits, rate = text.split(",")
        return Mcs(int(bits), float(rate))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no scheme ({error}); write bits per symbol and code rate, as in 2,0.5"
        ) from None


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb(
        "bler",
        bler,
        "bler --mcs 2,0.5 --bits 512 --out half.npz",
        "give the same command again, and it goes on: finished points lie in FILE.npz",
    )
    sub.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="table to write")
    sub.add_argument(
        "--mcs", type=_scheme, action="append", metavar="BITS,RATE",
        help="bits per symbol and code rate, may be repeated (all schemes of the link)",
    )  # fmt: skip
    sub.add_argument(
        "--bits", type=Number(Annotated[int, Range(1, 1_000_000)]), action="append", metavar="N",
        help="information bits of a code block with its CRC, may be repeated (eight lengths)",
    )  # fmt: skip
    sub.add_argument("--errors", type=COUNT, default=100, help="block errors a point (100)")
    sub.add_argument(
        "--min-bler", type=Number(Share), default=1e-4, help="where a curve ends (1e-4)"
    )
    sub.add_argument(
        "--max-bits", type=Number(Annotated[float, Range(1, 1e18)]), default=1e12, metavar="N",
        help="coded bits a point may take; a curve ends where they run out (1e12)",
    )  # fmt: skip
    sub.add_argument("--decoder", default="fast", help="fast or sionna (fast)")
    sub.add_argument("--seed", type=Number(Seed), default=0, help="of payloads and noise (0)")
    sub.add_argument("--jobs", type=Number(Jobs), help="processes (all cores that it may use)")
