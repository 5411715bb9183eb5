"""Does the protection optimiser keep its promise? Prediction and simulation on real pictures.

    python -m benchmarks.plan_check [--photos 4] [--trials 100] [--out FILE.json]

For every channel, bandwidth ratio and mean Es/N0, each photo is planned (with the curves of the
validation pictures), coded and protected by the optimiser, by equal and by unequal protection, all
told the channel and the Es/N0. A line has the exact expectation over delivered sets from the block
error tables times the measured quality of each set, and for the optimiser and equal protection the
mean over bit-true draws with its 95 % interval.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from channels.phy.table import TablePhy
from experiments.statistics.means import bounded_mean
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.images import PHOTOS, load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.link.prepared import Prepared
from scmc_comm.link.utility import Utility
from scmc_comm.metrics import measure
from scmc_comm.systems.scmc import Scmc
from scmc_comm.transmission import send

SYSTEMS = ("optimised", "equal", "unequal")


class Photo:
    """One picture and the utility of what is shown for it."""

    def __init__(self, name: str, utility: Utility, codec: LayeredCodec) -> None:
        self.img, self.utility, self.codec = load_photo(name), utility, codec
        self._known = {}

    def score(self, system: Scmc, prepared: Prepared, tags: frozenset[str]) -> float:
        shown = system.reconstruct(prepared, tags).img_hat
        key = hashlib.sha256(shown.numpy().tobytes()).digest()
        if key not in self._known:
            names = [name for name, _ in self.utility.weights]
            scores = measure(self.img, shown, names)
            self._known[key] = float(self.utility.of(names, np.array([scores[n] for n in names])))
        return self._known[key]


def point(photos, channel_name, rho, esno_db, utility, trials, seed):
    """Row of one point."""
    channel = make_channel(channel_name)
    row = {"channel": channel_name, "rho": f"1/{round(1 / rho)}", "esno_db": esno_db}
    for system in SYSTEMS:
        expected, mean, fitted = [], [], 0
        below, above = 0.0, 0.0
        for i, photo in enumerate(photos):
            scheme = Scmc(protection=system, codec=photo.codec)
            prepared = scheme.prepare(photo.img, Budget(rho, esno_db, channel_name, utility))
            score = cache(partial(photo.score, scheme, prepared))
            if prepared.infeasible:
                expected.append(score(frozenset()))
                mean.append(expected[-1])
                continue
            fitted += 1
            sets = TablePhy().expected_delivery(prepared.frames, channel, esno_db)
            sets = {tags: p for tags, p in sets.items() if p > 1e-7}
            total = sum(p * score(prepared.usable(tags)) for tags, p in sets.items())
            expected.append(total / sum(sets.values()))
            if system != "unequal":
                seeds = range(seed + 100_000 * i, seed + 100_000 * i + trials)
                report = send(prepared, channel, esno_db, seeds, BitTruePhy())
                arrived = [prepared.usable(report.delivered_tags(k)) for k in range(trials)]
                ends = (score(frozenset()), score(frozenset(prepared.tags)))
                drawn = bounded_mean(np.array([score(tags) for tags in arrived]), ends)
                mean.append(drawn.mean)
                # Limits of a mean of means from those of each (Zou and Donner, Statistics in
                # Medicine 2008): it holds the mean, however far the limits are from it.
                below += (drawn.mean - drawn.low) ** 2
                above += (drawn.high - drawn.mean) ** 2
        row[system] = float(np.mean(expected))
        row[f"{system}_fitted"] = fitted
        if system != "unequal":
            row[f"{system}_drawn"] = float(np.mean(mean))
            row[f"{system}_low"] = row[f"{system}_drawn"] - below**0.5 / len(photos)
            row[f"{system}_high"] = row[f"{system}_drawn"] + above**0.5 / len(photos)
    low, high = row["optimised_low"] - 1e-9, row["optimised_high"] + 1e-9
    row["inside"] = bool(low <= row["optimised"] <= high)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=4, help="how many of the built-in photos")
    parser.add_argument("--trials", type=int, default=100, help="bit-true draws a photo and point")
    parser.add_argument("--utility", default="psnr_db")
    parser.add_argument("--step", type=float, default=2.0, help="of the mean Es/N0 in dB")
    parser.add_argument("--channels", default="awgn,rayleigh_block")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    utility, codec = Utility.parse(args.utility), LayeredCodec()
    photos = [Photo(name, utility, codec) for name in PHOTOS[: args.photos]]
    head = "channel rho esno_db | optimised equal unequal | drawn [low, high] (equal) | inside"
    print(head, flush=True)
    rows, start = [], time.monotonic()
    for channel in args.channels.split(","):
        for rho in (1 / 24, 1 / 48):
            for esno_db in np.arange(-6, 20.01, args.step).tolist():
                seed = len(rows) * 1000
                row = point(photos, channel, rho, esno_db, args.utility, args.trials, seed)
                rows.append(row)
                print(
                    f"{channel:15} {row['rho']} {esno_db:5.1f} | {row['optimised']:7.3f} "
                    f"{row['equal']:7.3f} {row['unequal']:7.3f} | {row['optimised_drawn']:7.3f} "
                    f"[{row['optimised_low']:.3f}, {row['optimised_high']:.3f}] "
                    f"({row['equal_drawn']:7.3f}) | {row['inside']}",
                    flush=True,
                )
                if args.out:
                    args.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    inside = np.mean([row["inside"] for row in rows])
    beats = sum(row["optimised"] > row["equal"] for row in rows)
    drawn = sum(row["optimised_drawn"] > row["equal_drawn"] for row in rows)
    gain = np.mean([row["optimised"] - row["equal"] for row in rows])
    print(
        f"{len(rows)} points: prediction inside the interval at {inside:.0%}; optimised above "
        f"equal at {beats} (predicted) and {drawn} (drawn), by {gain:.2f} on average; "
        f"{time.monotonic() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
