"""How fast sweeps are, each figure beside the plain way to do it, in one run.

The large sweep and the ten times more trials run on stand-ins: random frames of the sizes that
layered and separate coding send for a Kodak image. Their reconstructions cost nothing, which is
what "after reconstructions are cached" leaves. The other two figures are of real systems.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from joblib import cpu_count

from channels.phy.names import ESTIMATORS, Estimator
from experiments.bench.cost import cost, in_fresh_process, machine_allows
from experiments.bench.stand_ins import PLANS, STAND_INS
from experiments.execution.executors import one_thread
from experiments.sweep import store
from experiments.sweep.components import Components
from experiments.sweep.points import trial_seeds
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from experiments.sweeps.snr import SWEEP as SNR

LARGE = SweepSpec(
    name="large",
    systems=tuple(PLANS),
    channels=("awgn", "rayleigh_block"),
    esno_db=tuple(-6.0 + 1.5 * i for i in range(15)),
    rho=(1 / 24,),
    num_images=24,
    metrics=("psnr_db", "mse"),
    estimator="table",
    num_trials=1000,
    strip_images=0,
)


def _sweep(
    spec: SweepSpec, folder: Path, cache: Path, jobs: int, components: Components = STAND_INS
) -> partial[Path]:
    return partial(
        run_sweep, spec, folder / f"{spec.name}-{spec.num_trials}", jobs,
        cache_dir=cache, components=components, progress=False,
    )  # fmt: skip


def large(folder: Path, jobs: int) -> dict[str, Any]:
    """24 images, 15 SNRs, 4 systems, 2 channels and 1000 fades, reconstructions cached."""
    fill = replace(LARGE, name="fill", estimator="expected")
    in_fresh_process(_sweep(fill, folder, folder / "cache", jobs))
    found = cost(_sweep(LARGE, folder, folder / "cache", jobs))
    return {
        "seconds": found.seconds, "peak_mib": found.peak_mib, "trials": 2_880_000,
        "target": "<= 60 s, <= 2048 MiB", "holds": found.seconds <= 60 and found.peak_mib <= 2048,
    }  # fmt: skip


def ten_times(folder: Path, jobs: int, estimator: Estimator) -> dict[str, Any]:
    """A sweep with 1000 trials a point against one with 100, reconstructions cached."""
    cache = folder / f"cache-{estimator}"
    spec = replace(LARGE, name=estimator, estimator=estimator, num_images=6)
    fill = replace(spec, name="fill", estimator="expected", num_trials=1)
    in_fresh_process(_sweep(fill, folder, cache, jobs))
    few, many = (replace(spec, num_trials=n, seed=n) for n in (100, 1000))
    plain = cost(_sweep(few, folder, cache, jobs)).seconds
    found = cost(_sweep(many, folder, cache, jobs)).seconds
    return {
        "seconds": found, "seconds_of_a_tenth": plain, "ratio": found / plain,
        "target": "<= 1.5", "holds": found <= 1.5 * plain,
    }  # fmt: skip


REAL_SPEC = SweepSpec(
    name="real",
    systems=("scmc",),
    channels=("rayleigh_block",),
    esno_db=(10.0,),
    rho=(1 / 24,),
    num_images=1,
    metrics=("psnr_db", "ms_ssim"),
    num_trials=24,
    strip_images=0,
)


def _reconstruct_each_trial() -> float:
    """The plain way: every trial is sent, reconstructed and measured; seconds, coding left out."""
    from scmc_comm.link.budget import Budget
    from scmc_comm.transmission import send
    from scmc_comm.types import UNANNOTATED

    parts = Components()
    img = next(iter(parts.load_images("photos", 1).values()))
    system = parts.make_system("scmc")
    channel, phy = parts.make_channel("rayleigh_block"), parts.make_phy("monte-carlo", "flat")
    with one_thread():
        prepared = system.prepare(img, Budget(REAL_SPEC.rho[0], REAL_SPEC.design_esno_db))
        start = time.perf_counter()
        for seed in trial_seeds(REAL_SPEC.seed, "photo", 0, REAL_SPEC.num_trials):
            system.layered_codec().forget()
            report = send(prepared, channel, REAL_SPEC.esno_db[0], [seed], phy)
            shown = system.reconstruct(prepared, report.delivered_tags(0))
            parts.measure(img, shown.img_hat, REAL_SPEC.metrics, UNANNOTATED)
        return time.perf_counter() - start


def cached_sets(folder: Path, _jobs: int) -> dict[str, Any]:
    """SCMC, one image, 24 fades: reconstructions cached against one a trial."""
    cache = folder / "cache-real"
    fill = replace(REAL_SPEC, name="fill", estimator="expected")  # all sets, not those of a draw
    in_fresh_process(_sweep(fill, folder, cache, 1, Components()))
    found = cost(_sweep(REAL_SPEC, folder, cache, 1, Components())).seconds
    plain = in_fresh_process(_reconstruct_each_trial)
    return {"seconds": found, "seconds_of_plain": plain, "times_faster": plain / found}


def two_jobs(folder: Path, _jobs: int) -> dict[str, Any]:
    """Two processes against one: the sweep `snr` on eight images, its fades integrated out.

    Nothing is cached. The start (imports, weights) and the end (the store), which no process can
    take from another, count.
    """
    spec = replace(SNR, name="jobs", estimator="expected", num_images=8, strip_images=0)
    allowed = in_fresh_process(machine_allows)
    one, two = (
        cost(_sweep(spec, folder, folder / f"cache-{n}", n, Components()), memory=False).seconds
        for n in (1, 2)
    )
    return {
        "seconds": two, "seconds_of_one": one, "times_faster": one / two,
        "machine_allows": allowed, "target": ">= 1.7", "holds": one >= 1.7 * two,
    }  # fmt: skip


def estimators(folder: Path, _jobs: int) -> dict[str, Any]:
    """JPEG, one image, Rayleigh fading, 5 SNRs, 200 fades: time and standard error of each.

    The image is coded and its reconstructions are measured beforehand, at another Es/N0.
    """
    cache = folder / "cache-estimators"
    spec = replace(
        REAL_SPEC, systems=("jpeg",), esno_db=(4.0, 7.0, 10.0, 13.0, 16.0),
        num_trials=200,
    )  # fmt: skip
    fill = replace(spec, name="fill", esno_db=(9.0,), estimator="expected")
    in_fresh_process(_sweep(fill, folder, cache, 1, Components()))
    found: dict[str, Any] = {}
    for name in ESTIMATORS:
        own = replace(spec, name=name, estimator=name)
        seconds = cost(_sweep(own, folder, cache, 1, Components())).seconds
        ds = store.load(folder / f"{name}-{own.num_trials}")
        found[name] = {"seconds": seconds, "standard_error_db": _standard_error(ds, "psnr_db")}
    return found


def _standard_error(ds: xr.Dataset, metric: str) -> float:
    """The largest of all points, of an image's mean over its fades."""
    if store.is_exact(ds):
        return 0.0
    weights, values = store.weights(ds), store.at_points(ds, metric).fillna(0)
    mean = (weights * values).sum("set")
    variance = (weights * (values - mean) ** 2).sum("set") / store.num_trials(ds)
    return float(np.sqrt(variance).max())


FIGURES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "large_sweep": large,
    "ten_times_the_trials_expected": partial(ten_times, estimator="expected"),
    "ten_times_the_trials_table": partial(ten_times, estimator="table"),
    "cached_reconstructions": cached_sets,
    "two_jobs": two_jobs,
    "estimators": estimators,
}
"""What is measured, in a folder and with so many processes for the sweeps on stand-ins."""


def run(jobs: int | None = None) -> dict[str, dict[str, Any]]:
    """Measures everything, in a few minutes on two cores.

    Args:
        jobs: Processes of the sweeps on stand-ins; None for all cores.

    Returns:
        For each figure its seconds, those of the plain way, their ratio, and whether the target
        holds.
    """
    with tempfile.TemporaryDirectory(prefix="scmc-comm-bench-") as name:
        return {key: measure(Path(name), jobs or cpu_count()) for key, measure in FIGURES.items()}
