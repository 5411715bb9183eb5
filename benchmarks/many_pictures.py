"""Memory of a sweep over many pictures: it must not grow with their number.

    python -m benchmarks.many_pictures 50 200 1000 --dask local --jobs 2 --out FILE.csv

The pictures are crops of the built-in photographs, written as JPEG files of 768 x 512; one system
sends them over AWGN in `expected` mode, nothing cached. Each number of pictures is swept in a
process of its own, with workers and their memory counted (proportional set size).
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from experiments.bench.cost import cost
from experiments.execution.machine import describe_machine
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from scmc_comm.images import PHOTO_SIDE, PHOTOS, load_photo, to_uint8

WIDTH, HEIGHT = 768, 512


def write_pictures(folder: Path, count: int, seed: int = 1) -> None:
    """So many different crops of the built-in photographs, as JPEG files."""
    rng, whole = np.random.default_rng(seed), [to_uint8(load_photo(name)) for name in PHOTOS]
    folder.mkdir()
    for number in range(count):
        top, left = rng.integers(0, PHOTO_SIDE // 2, 2).tolist()
        area = left, top, left + PHOTO_SIDE // 2, top + PHOTO_SIDE // 3
        photo = Image.fromarray(whole[number % len(whole)])
        photo.resize((WIDTH, HEIGHT), box=area).save(folder / f"{number:05d}.jpg", quality=90)


def sweep(pictures: Path, folder: Path, jobs: int, dask: str | None) -> None:
    """One system at two SNRs, every picture coded and measured."""
    spec = SweepSpec(
        "many", ("jpeg:scale=1",), ("awgn",), (3.0, 9.0), (1 / 24,), images=str(pictures),
        metrics=("psnr_db",), estimator="expected", strip_images=0,
    )  # fmt: skip
    run_sweep(spec, folder / "run", jobs, dask=dask, cache_dir=folder / "cache", progress=False)


def main() -> None:
    """Prints a line for each number of pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[50, 200, 1000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--dask", help="'local' for a Dask cluster on this machine")
    parser.add_argument("--out", type=Path, help="CSV to write, after each sweep")
    args = parser.parse_args()
    print(describe_machine())
    rows = []
    for count in args.counts:
        with tempfile.TemporaryDirectory(prefix="scmc-comm-") as folder:
            pictures = Path(folder) / "pictures"
            write_pictures(pictures, count)
            spent = cost(partial(sweep, pictures, Path(folder), args.jobs, args.dask), True)
        rows.append({
            "pictures": count, "workers": f"{args.jobs} {'Dask' if args.dask else 'processes'}",
            "wall_s": round(spent.seconds, 1), "peak_mib": round(spent.peak_mib),
            "pixels_mib": round(count * WIDTH * HEIGHT * 3 * 4 / 2**20),
        })  # fmt: skip
        print(rows[-1], flush=True)
        if args.out:
            pd.DataFrame(rows).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
