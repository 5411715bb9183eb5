"""How often the 95 % intervals hold the truth, on distributions that are known.

python benchmarks/interval_coverage.py --runs 1000
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from channels.bler.table import wilson_interval
from experiments.statistics.cliff import cliff
from experiments.statistics.means import Interval, bootstrap_interval
from experiments.statistics.proportions import clustered_interval

RESAMPLES = 2000  # the default
Case = Callable[[np.random.Generator], tuple[Interval, float]]


def nested_mean(images: int, trials: int) -> Case:
    def run(rng: np.random.Generator) -> tuple[Interval, float]:
        centre = rng.normal(0, 2, (images, 1)) if images > 1 else 0.0
        values = centre + rng.normal(0, 1, (images, trials))
        return bootstrap_interval(values, rng, RESAMPLES), 0.0

    return run


def skewed_mse(rng: np.random.Generator) -> tuple[Interval, float]:
    mse = 0.01 * rng.gamma(4, 1 / 4, (16, 1)) * rng.gamma(4, 1 / 4, (16, 20))
    return bootstrap_interval(mse, rng, RESAMPLES, statistic=lambda m: -10 * np.log10(m)), 20.0


def given_delivery(rng: np.random.Generator) -> tuple[Interval, float]:
    arrived = rng.random((12, 30)) < rng.uniform(0.2, 0.9, (12, 1))
    quality = np.where(arrived, rng.normal(30, 2, (12, 1)), 12.0)
    both = np.stack([quality * arrived, arrived])
    return bootstrap_interval(both, rng, RESAMPLES, statistic=lambda m: m[0] / m[1]), 30.0


def events(rng: np.random.Generator) -> np.ndarray:
    return (rng.random((10, 40)) < rng.beta(0.5, 1.5, (10, 1))).astype(float)


def clustered(rng: np.random.Generator) -> tuple[Interval, float]:
    return clustered_interval(events(rng), rng, RESAMPLES), 0.25


def pooled(rng: np.random.Generator) -> tuple[Interval, float]:
    seen = events(rng)
    low, high = wilson_interval(seen.sum(), seen.size)
    return Interval(np.asarray(seen.mean()), low, high), 0.25


def threshold(rng: np.random.Generator) -> tuple[Interval, float]:
    esno_db = np.arange(0.0, 10.0)
    fall = np.clip(12 + 3 * (esno_db - 2), 12, 30)[:, None, None]
    values = fall + rng.normal(0, 2, (1, 12, 1)) + rng.normal(0, 2, (1, 12, 20))
    found = cliff(esno_db, values, 21.0, 12.0, rng, num_resamples=RESAMPLES)
    return found.threshold_esno_db, 5.0


CASES: dict[str, Case] = {
    "mean, 6 images x 12 trials": nested_mean(6, 12),
    "mean, 20 images x 5 trials": nested_mean(20, 5),
    "mean, 1 image x 30 trials": nested_mean(1, 30),
    "PSNR of the mean MSE, 16 x 20, skewed": skewed_mse,
    "mean given delivery, 12 x 30": given_delivery,
    "SNR at a threshold, 12 x 20": threshold,
    "outage, 10 x 40, images differ": clustered,
    "the same by Wilson over all trials": pooled,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print(f"{'interval':40s} {'coverage':>8s} {'95 % limits of it':>20s}")
    for name, case in CASES.items():
        rng, hits = np.random.default_rng(0), 0
        for _ in range(runs):
            found, truth = case(rng)
            hits += bool(found.low <= truth <= found.high)
        low, high = wilson_interval(hits, runs)
        print(f"{name:40s} {hits / runs:8.3f} {low:12.3f} to {high:.3f}", flush=True)


if __name__ == "__main__":
    main()
