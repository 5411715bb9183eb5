"""``scmc-comm bench``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from channels.ranges import Jobs
from experiments.commands.common import COUNT, AddVerb, Number

PARTS = ("ldpc", "chain", "loss", "timed", "sweep")


def bench(args: argparse.Namespace) -> None:
    """Measure speed side by side with the plain way: decoder, chain, timed link, sweeps."""
    from experiments.bench import link, sweep, timed

    results: dict[str, Any] = {"machine": link.machine()}
    for part in args.parts:
        if part == "sweep":
            results[part] = sweep.run(args.threads)
        elif part == "timed":
            results[part] = timed.run()
        elif part == "loss":
            results[part] = link.as_dicts(link.measure_loss(args.errors, threads=args.threads))
        else:
            race = link.race_decoders if part == "ldpc" else link.race_chains
            rows = race(args.blocks, args.plain_blocks, args.repeats, args.threads)
            results[part] = link.as_dicts(rows)
    print(json.dumps(results, indent=2) if args.json else "\n".join(_lines(results)))


def _lines(results: dict[str, Any]) -> list[str]:
    machine = results["machine"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_average']}; medians, "
        "ours beside Sionna's"
    ]
    races = [row for part in ("ldpc", "chain") for row in results.get(part, ())]
    if races:
        lines.append(
            f"{'':34} {'Es/N0':>7} {'Mbit/s':>8} {'Sionna':>8} {'ratio':>6} {'CPU':>6}  BLER"
        )
    for row in races:
        lines.append(
            f"{row['case']:34} {row['esno_db']:7.2f} {row['mbit_per_s']:8.2f} "
            f"{row['plain_mbit_per_s']:8.4f} {row['ratio']:6.0f} {row['cpu_ratio']:6.0f}  "
            f"{row['bler']:.3g} (Sionna's {row['plain_bler']:.3g})"
        )
    for row in results.get("loss", ()):
        lines.append(
            f"{row['case']:34} {row['esno_db']:7.2f} dB: Sionna ({row['num_iter']} iterations) "
            f"lost {row['plain_errors']}, ours "
            f"{row['errors']} of {row['plain_blocks']}; loss {row['loss_db']:+.3f} dB "
            f"({row['loss_low_db']:+.3f} to {row['loss_high_db']:+.3f})"
        )
    rest = {part: results[part] for part in ("timed", "sweep") if part in results}
    return lines + ([json.dumps(rest, indent=2)] if rest else [])


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb(
        "bench",
        bench,
        "bench ldpc chain --json",
        "nothing is kept; name fewer parts to measure less",
    )
    sub.add_argument(
        "parts", nargs="*", choices=PARTS, default=("ldpc", "chain"), metavar="PART",
        help="ldpc (decoder), chain (bit-true link), loss (Es/N0 against Sionna's decoder, slow), "
        "timed (link with queues), sweep (ldpc and chain)",
    )  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub.add_argument("--repeats", type=COUNT, default=5, help="alternating repeats (5)")
    sub.add_argument("--blocks", type=COUNT, default=2000, help="code blocks a repeat, ours (2000)")
    sub.add_argument(
        "--plain-blocks", type=COUNT, default=32, metavar="N", help="the same for Sionna (32)"
    )
    sub.add_argument("--errors", type=COUNT, default=100, help="block errors of 'loss' (100)")
    sub.add_argument("--threads", type=Number(Jobs), help="threads or processes (all cores)")
