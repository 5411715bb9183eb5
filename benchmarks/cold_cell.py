"""What a cold point of one Kodak picture costs a core: one system, nothing in the cache.

    python -m benchmarks.cold_cell --data DIR [--system NAME] [--metrics NAMES] [--out FILE.csv]

Seconds of a core of this process and of programs that it calls, start and imports included, with
one thread. To hold two revisions against each other, run it in the checkout of each, in turns.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import pandas as pd

from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec

METRICS = "psnr_db,ms_ssim,lpips,dists"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--system", default="scmc:protection=optimised")
    parser.add_argument("--metrics", default=METRICS, help=f"comma-separated ({METRICS})")
    parser.add_argument("--out", type=Path, help="CSV to write")
    args = parser.parse_args()
    spec = SweepSpec(
        name="cell", systems=(args.system,), channels=("rayleigh_block",), esno_db=(10.0,),
        rho=(1 / 24,), images=str(args.data / "kodak"), num_images=1, strip_images=0,
        metrics=tuple(args.metrics.split(",")), estimator="expected",
    )  # fmt: skip
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run_sweep(spec, f"{folder}/run", 1, cache_dir=Path(folder) / "cache", progress=False)
    times = os.times()
    core_s = times.user + times.system + times.children_user + times.children_system
    row = (args.system, args.metrics, round(core_s, 1), round(time.monotonic() - start, 1))
    print("{}, {}: {} s of a core, {} s by the clock".format(*row))
    if args.out:
        columns = ["system", "metrics", "core_s", "wall_s"]
        pd.DataFrame([row], columns=columns).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
