"""How often the 95 % intervals hold the truth, on distributions that are known.

python benchmarks/interval_coverage.py --runs 1000 [--out FILE.csv]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from channels.bler.table import wilson_interval
from experiments.statistics.bjontegaard import bd_snr
from experiments.statistics.bjontegaard_intervals import bd_of_trials
from experiments.statistics.cliff import cliff
from experiments.statistics.means import Interval, bootstrap_interval
from experiments.statistics.proportions import clustered_interval

RESAMPLES = 2000  # the default
IMAGES = (3, 4, 8, 24)
Case = Callable[[np.random.Generator], tuple[Interval, float]]


def nested_mean(images: int, trials: int) -> Case:
    def run(rng: np.random.Generator) -> tuple[Interval, float]:
        centre = rng.normal(0, 2, (images, 1)) if images > 1 else 0.0
        values = centre + rng.normal(0, 1, (images, trials))
        return bootstrap_interval(values, rng, RESAMPLES), 0.0

    return run


def skewed_mse(images: int) -> Case:
    def run(rng: np.random.Generator) -> tuple[Interval, float]:
        mse = 0.01 * rng.gamma(4, 1 / 4, (images, 1)) * rng.gamma(4, 1 / 4, (images, 20))
        return bootstrap_interval(mse, rng, RESAMPLES, statistic=lambda m: -10 * np.log10(m)), 20.0

    return run


def given_delivery(images: int) -> Case:
    def run(rng: np.random.Generator) -> tuple[Interval, float]:
        arrived = rng.random((images, 30)) < rng.uniform(0.2, 0.9, (images, 1))
        quality = np.where(arrived, rng.normal(30, 2, (images, 1)), 12.0)
        both = np.stack([quality * arrived, arrived])
        with np.errstate(invalid="ignore"):
            return bootstrap_interval(both, rng, RESAMPLES, statistic=lambda m: m[0] / m[1]), 30.0

    return run


def delta(images: int) -> Case:
    """BD-SNR of parallel curves, an image's gain 1 dB on average, what images share cancelling."""

    def run(rng: np.random.Generator) -> tuple[Interval, float]:
        esno_db = np.arange(0.0, 12.0, 2.0)
        shared = rng.normal(0, 4, (1, images, 1))
        straight = 2 * esno_db[:, None, None] + shared
        gain = rng.normal(1.0, 0.5, (1, images, 1))
        found = bd_of_trials(bd_snr, (esno_db, straight), (esno_db, straight + 2 * gain), rng)
        return Interval(*np.array([found.value, found.low, found.high])), -1.0

    return run


def events(rng: np.random.Generator, images: int) -> np.ndarray:
    return (rng.random((images, 40)) < rng.beta(0.5, 1.5, (images, 1))).astype(float)


def clustered(images: int) -> Case:
    return lambda rng: (clustered_interval(events(rng, images), rng, RESAMPLES), 0.25)


def pooled(images: int) -> Case:
    def run(rng: np.random.Generator) -> tuple[Interval, float]:
        seen = events(rng, images)
        low, high = wilson_interval(seen.sum(), seen.size)
        return Interval(np.asarray(seen.mean()), low, high), 0.25

    return run


def threshold(images: int) -> Case:
    def run(rng: np.random.Generator) -> tuple[Interval, float]:
        esno_db = np.arange(0.0, 10.0)
        fall = np.clip(12 + 3 * (esno_db - 2), 12, 30)[:, None, None]
        values = fall + rng.normal(0, 2, (1, images, 1)) + rng.normal(0, 2, (1, images, 20))
        found = cliff(esno_db, values, 21.0, 12.0, rng, num_resamples=RESAMPLES)
        return found.threshold_esno_db, 5.0

    return run


CASES: dict[tuple[str, int], Case] = {
    ("mean, 30 trials", 1): nested_mean(1, 30),
    **{("mean, 12 trials an image", n): nested_mean(n, 12) for n in IMAGES},
    **{("PSNR of the mean MSE, 20 trials, skewed", n): skewed_mse(n) for n in IMAGES},
    **{("mean given delivery, 30 trials", n): given_delivery(n) for n in IMAGES},
    **{("BD-SNR, paired", n): delta(n) for n in IMAGES},
    **{("SNR at a threshold, 20 trials", n): threshold(n) for n in IMAGES[2:]},
    **{("delivery, 40 trials, images differ much", n): clustered(n) for n in IMAGES},
    ("the same by Wilson over all trials", 8): pooled(8),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--out", type=Path, help="CSV to write")
    args = parser.parse_args()
    runs, rows = args.runs, []
    print(f"{'interval':40s} {'images':>6s} {'coverage':>8s} {'95 % limits of it':>20s}")
    for (name, images), case in CASES.items():
        rng, hits = np.random.default_rng(0), 0
        for _ in range(runs):
            found, truth = case(rng)
            hits += bool(found.low <= truth <= found.high)
        low, high = wilson_interval(hits, runs)
        rows.append((name, images, hits / runs, low, high))
        print(f"{name:40s} {images:6d} {hits / runs:8.3f} {low:12.3f} to {high:.3f}", flush=True)
    if args.out:
        header = ["interval", "images", "coverage", "low", "high"]
        pd.DataFrame(rows, columns=header).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
