"""How fast sweeps are, each figure beside the plain way to do it, in one run.

The large sweep and the ten times more trials run on stand-ins: random frames of the sizes that
layered and separate coding send for a Kodak image. Their reconstructions cost nothing, which is
what "after reconstructions are cached" leaves. The other two figures are of real systems.
"""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import xarray as xr

from channels.types import Frame
from experiments import store
from experiments.components import Components
from experiments.executors import num_cores, one_thread
from experiments.points import trial_seeds
from experiments.runner import run_sweep
from experiments.spec import ESTIMATORS, SweepSpec
from scmc_comm.system import Budget, Prepared, System

T = TypeVar("T")

SIZE = (512, 768)
NUM_BITS = {"semantic": 240, "structure": 2400}  # the last frame fills the budget
# Es/N0 in dB that each frame is protected for.
PLANS = {
    "layers": {"semantic": 1.0, "structure": 5.0, "signal": 10.0},
    "layers-equal": {"semantic": 8.0, "structure": 8.0, "signal": 8.0},
    "file": {"image": 10.0},
    "file-robust": {"image": 6.0},
}
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


class StandIn(System):
    """Random bits in frames as large as those of a real system, and pictures at no cost."""

    def __init__(self, name: str) -> None:
        self.name = name

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """See `System.prepare`."""
        from channels.coding import max_payload_bits
        from channels.segmentation import num_channel_uses
        from scmc_comm.link.ledger import Ledger, ledger_entry
        from scmc_comm.link.mcs import choose_mcs

        size = (int(img.shape[1]), int(img.shape[2]))
        rng = np.random.default_rng(int(img[0, 0, 0] * 2**24))
        frames: list[Frame] = []
        left = budget.uses(size)
        for tag, esno_db in PLANS[self.name].items():
            mcs = choose_mcs(esno_db, num_uses=left)
            num_bits = NUM_BITS.get(tag) or max_payload_bits(left, mcs)
            bits = rng.integers(0, 2, num_bits, dtype=np.uint8)
            frames.append(Frame(tag, bits, mcs, priority=len(frames)))
            left -= num_channel_uses(num_bits, mcs)
        ledger = Ledger(tuple(ledger_entry(f, 0) for f in frames), budget.uses(size))
        bpp = sum(f.bits.size for f in frames) / (size[0] * size[1])
        return Prepared(tuple(frames), ledger, bpp, lambda tags: _shown(img, tags), size)


def _shown(img: torch.Tensor, tags: frozenset[str]) -> Any:
    from scmc_comm.types import Reconstruction

    return Reconstruction(img.clamp(0, 0.5 + 0.1 * len(tags)), None, tags)


def _images(name: str, num_images: int | None) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    pixels = rng.random((num_images or 24, 3, *SIZE), dtype=np.float32)
    return {f"image{i:02d}": torch.from_numpy(img) for i, img in enumerate(pixels)}


def _measure(img: torch.Tensor, img_hat: torch.Tensor, names: tuple[str, ...]) -> dict[str, float]:
    mse = float((img - img_hat).double().square().mean())
    return {"mse": mse, "psnr_db": -10 * math.log10(mse)}


def _names() -> tuple[str, ...]:
    return tuple(PLANS)


def _same(names: tuple[str, ...]) -> tuple[str, ...]:
    return names


STAND_INS = Components(
    system_names=_names,
    make_system=StandIn,
    measure=_measure,
    available_metrics=_same,
    load_images=_images,
)


@dataclass(frozen=True)
class Cost:
    """What a run took: wall time, and the most memory of it and its workers together."""

    seconds: float
    peak_mib: float


def _family(process: Path) -> Iterator[Path]:
    """A process in ``/proc`` and its descendants."""
    yield process
    for listed in process.glob("task/*/children"):
        for child in listed.read_text().split():
            yield from _family(process.parent / child)


def _memory_mib() -> float:
    """Proportional set size of this process and its descendants: shared pages count once."""
    total = 0
    for process in _family(Path("/proc") / str(os.getpid())):
        with contextlib.suppress(OSError):  # it has ended
            text = (process / "smaps_rollup").read_text()
            total += int(text.split("Pss:")[1].split()[0])
    return total / 1024


def _cost_here(function: Callable[[], object]) -> Cost:
    peak, done = _memory_mib(), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.25):
            with contextlib.suppress(OSError):
                peak = max(peak, _memory_mib())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return Cost(seconds, peak)


def in_fresh_process(function: Callable[[], T]) -> T:
    """What an importable function returns in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function).result()


def cost(function: Callable[[], object]) -> Cost:
    """Cost of an importable function in a fresh process, whose start is not counted (Linux)."""
    return in_fresh_process(partial(_cost_here, function))


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


def ten_times(folder: Path, jobs: int, estimator: str) -> dict[str, Any]:
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
    from scmc_comm.system import Budget

    parts = Components()
    img = next(iter(parts.load_images("photos", 1).values()))
    system = parts.make_system("scmc")
    channel, phy = parts.make_channel("rayleigh_block"), parts.make_phy("monte-carlo")
    with one_thread():
        prepared = system.prepare(img, Budget(REAL_SPEC.rho[0], REAL_SPEC.design_esno_db))
        reconstruct = prepared.reconstruct.__wrapped__  # type: ignore[attr-defined]
        start = time.perf_counter()
        for seed in trial_seeds(REAL_SPEC.seed, "photo", 0, REAL_SPEC.num_trials):
            delivered = prepared.send(channel, REAL_SPEC.esno_db[0], [seed], phy).delivered[0]
            parts.measure(img, reconstruct(delivered).img_hat, REAL_SPEC.metrics)
        return time.perf_counter() - start


def cached_sets(folder: Path) -> dict[str, Any]:
    """SCMC, one image, 24 fades: reconstructions cached against one a trial."""
    cache = folder / "cache-real"
    fill = replace(REAL_SPEC, name="fill", estimator="expected")  # all sets, not those of a draw
    in_fresh_process(_sweep(fill, folder, cache, 1, Components()))
    found = cost(_sweep(REAL_SPEC, folder, cache, 1, Components())).seconds
    plain = in_fresh_process(_reconstruct_each_trial)
    return {"seconds": found, "seconds_of_plain": plain, "times_faster": plain / found}


def _burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def _seconds_of_burners(count: int, seconds: float) -> float:
    fork = multiprocessing.get_context("fork")
    burners = [fork.Process(target=_burn, args=(seconds / count,)) for _ in range(count)]
    start = time.perf_counter()
    for burner in burners:
        burner.start()
    for burner in burners:
        burner.join()
    return time.perf_counter() - start


def _machine_allows() -> float:
    """How much faster two processes that share nothing are than one: 2 on two idle cores."""
    return _seconds_of_burners(1, 4.0) / _seconds_of_burners(2, 4.0)


def two_jobs(folder: Path) -> dict[str, Any]:
    """Two processes against one: SCMC on four images, coded, reconstructed and measured."""
    spec = replace(REAL_SPEC, name="jobs", estimator="expected", num_images=4)
    allowed = in_fresh_process(_machine_allows)
    one, two = (
        cost(_sweep(spec, folder, folder / f"cache-{jobs}", jobs, Components())).seconds
        for jobs in (1, 2)
    )
    return {
        "seconds": two, "seconds_of_one": one, "times_faster": one / two,
        "machine_allows": allowed, "target": ">= 1.7", "holds": one >= 1.7 * two,
    }  # fmt: skip


def estimators(folder: Path) -> dict[str, Any]:
    """JPEG, one image, Rayleigh fading, 5 SNRs, 200 fades: time and standard error of each."""
    spec = replace(
        REAL_SPEC, systems=("jpeg",), esno_db=(4.0, 7.0, 10.0, 13.0, 16.0),
        num_trials=200,
    )  # fmt: skip
    found = {}
    for name in ESTIMATORS:
        own = replace(spec, name=name, estimator=name)
        seconds = cost(_sweep(own, folder, folder / f"cache-{name}", 1, Components())).seconds
        ds = store.load(folder / f"{name}-{own.num_trials}")
        found[name] = {"seconds": seconds, "standard_error_db": _standard_error(ds, "psnr_db")}
    return found


def _standard_error(ds: xr.Dataset, metric: str) -> float:
    """The largest of all points, of an image's mean over its fades."""
    if store.is_exact(ds):
        return 0.0
    weights, values = store.weights(ds), ds[metric].fillna(0)
    mean = (weights * values).sum("set")
    variance = (weights * (values - mean) ** 2).sum("set") / store.num_trials(ds)
    return float(np.sqrt(variance).max())


def run(jobs: int | None = None) -> dict[str, dict[str, Any]]:
    """Measures everything, in a few minutes on two cores.

    Args:
        jobs: Processes of the sweeps on stand-ins; None for all cores.

    Returns:
        For each figure its seconds, those of the plain way, their ratio, and whether the target
        holds.
    """
    jobs = jobs or num_cores()
    with tempfile.TemporaryDirectory(prefix="scmc-comm-bench-") as name:
        folder = Path(name)
        return {
            "large_sweep": large(folder, jobs),
            "ten_times_the_trials_expected": ten_times(folder, jobs, "expected"),
            "ten_times_the_trials_table": ten_times(folder, jobs, "table"),
            "cached_reconstructions": cached_sets(folder),
            "two_jobs": two_jobs(folder),
            "estimators": estimators(folder),
        }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
