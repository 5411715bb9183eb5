"""One (system, image) of a sweep: prepare, send, see which layers arrive, score each set once."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from experiments.cache import Cache, digest
from experiments.components import Components
from experiments.prepared import prepare_cached
from experiments.spec import SweepSpec
from experiments.statistics import wilson_interval
from scmc_comm.images import to_uint8

if TYPE_CHECKING:
    from scmc_comm.system import Prepared

Delivered = list[frozenset[str]]

BLOCK = 64  # trials sent at once; bounds memory, results do not depend on it
NOT_RUN = -1


@dataclass(frozen=True)
class Task:
    """What one worker is asked to do.

    Attributes:
        spec: The sweep.
        system: Name of the system.
        image: Name of the image.
        img: float32 [3, H, W] in [0, 1], as an array so that it travels between processes.
        keep_png: Return the reconstructions too.
        metrics: Metrics to measure.
        fingerprint: Identity of code and weights.
        cache_dir: Folder of the cache, or None.
        components: The parts to build from.
    """

    spec: SweepSpec
    system: str
    image: str
    img: np.ndarray
    keep_png: bool
    metrics: tuple[str, ...]
    fingerprint: str
    cache_dir: Path | None
    components: Components


@dataclass(frozen=True)
class SetQuality:
    """What the receiver makes of one delivered set."""

    metrics: dict[str, float]
    level: int
    caption: str
    png: bytes | None = None


@dataclass(frozen=True)
class RhoResult:
    """The outcome of one (system, image, rho).

    Attributes:
        frames: Tags sent; none if the budget is infeasible.
        infeasible: Why nothing could be sent, or empty.
        bpp: Bits per pixel put on the wire once.
        channel_uses: Complex channel uses charged by the ledger.
        sets: Delivered sets that occurred.
        index: int [channel, esno_db, trial] into `sets`; `NOT_RUN` where stopped early.
        quality: One per set.
    """

    frames: tuple[str, ...]
    infeasible: str
    bpp: float
    channel_uses: int
    sets: tuple[frozenset[str], ...]
    index: np.ndarray
    quality: tuple[SetQuality, ...]


@dataclass(frozen=True)
class TaskResult:
    """The outcome of a `Task`, one entry per rho."""

    system: str
    image: str
    by_rho: tuple[RhoResult, ...]


@dataclass(frozen=True)
class _Cell:
    """What the steps of one (system, image, rho) share."""

    key: str
    prepared: Prepared
    cache: Cache


def trial_seed(seed: int, image: str, trial: int) -> int:
    """Seed of one channel realisation: the same for every system, channel, SNR and bandwidth.

    Example:
        >>> trial_seed(1, "coffee", 0) == trial_seed(1, "coffee", 0) != trial_seed(1, "coffee", 1)
        True
    """
    return int(digest("trial", seed, image, trial)[:12], 16)


@functools.cache
def _system(make_system: Callable[[str], Any], name: str) -> Any:
    """Systems are loaded once a process, whatever the number of its tasks."""
    return make_system(name)


def _image_key(task: Task, rho: float) -> str:
    pixels = np.ascontiguousarray(task.img)
    return digest(
        task.fingerprint, task.system, rho, task.spec.design_esno_db,
        list(pixels.shape), str(pixels.dtype), pixels.tobytes(),
    )  # fmt: skip


def _send_trials(task: Task, prepared: Prepared, channel: str, esno_db: float) -> Delivered:
    """Delivered sets of the trials run, obeying the stopping rule."""
    spec = task.spec
    model, phy = task.components.make_channel(channel), task.components.make_phy()
    done: Delivered = []
    until = spec.num_trials if spec.stop_half_width is None else spec.min_trials
    while len(done) < spec.num_trials:
        until = min(spec.num_trials, until)
        for start in range(len(done), until, BLOCK):
            trials = range(start, min(until, start + BLOCK))
            seeds = [trial_seed(spec.seed, task.image, t) for t in trials]
            done += prepared.send(model, esno_db, seeds, phy).delivered
        if spec.stop_half_width is not None and prepared.tags:
            counts = [sum(tag in arrived for arrived in done) for tag in prepared.tags]
            low, high = wilson_interval(counts, len(done))
            if np.all(high - low <= 2 * spec.stop_half_width):
                break
        until = 2 * len(done)
    return done


def _delivered(task: Task, cell: _Cell, channel: str, esno_db: float) -> Delivered:
    spec = task.spec
    stop = None if spec.stop_half_width is None else [spec.stop_half_width, spec.min_trials]
    key = digest("link", cell.key, channel, esno_db, spec.seed, task.image, spec.num_trials, stop)
    known = cell.cache.get_json(key)
    if known is not None:
        return [frozenset(tags) for tags in known]
    found = _send_trials(task, cell.prepared, channel, esno_db)
    cell.cache.put_json(key, [sorted(tags) for tags in found])
    return found


def png_bytes(img: torch.Tensor) -> bytes:
    """A picture, float [3, H, W] in [0, 1], as 8-bit PNG."""
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(img)).save(buffer, format="PNG")
    return buffer.getvalue()


def _quality(task: Task, cell: _Cell, tags: frozenset[str]) -> SetQuality:
    key = digest("quality", cell.key, sorted(tags), list(task.metrics))
    png_key = digest("png", cell.key, sorted(tags))
    known = cell.cache.get_json(key)
    png = cell.cache.get(png_key) if task.keep_png else None
    if known is None or (task.keep_png and png is None):
        seen = cell.prepared.reconstruct(tags)
        img_hat = seen.img_hat.detach()
        scores = task.components.measure(torch.from_numpy(task.img), img_hat, task.metrics)
        known = {
            "metrics": {name: float(scores[name]) for name in task.metrics},
            "level": -1 if seen.level is None else int(seen.level),
            "caption": seen.caption or "",
        }
        cell.cache.put_json(key, known)
        if task.keep_png:
            png = png_bytes(img_hat)
            cell.cache.put(png_key, png)
    return SetQuality(known["metrics"], known["level"], known["caption"], png)


def _run_rho(task: Task, rho: float) -> RhoResult:
    from scmc_comm.system import Budget

    spec, cache = task.spec, Cache(task.cache_dir)
    budget = Budget(rho=rho, design_esno_db=spec.design_esno_db)
    key = _image_key(task, rho)
    make = functools.partial(_system, task.components.make_system, task.system)
    prepared = prepare_cached(make, torch.from_numpy(task.img), budget, key, cache)
    cell = _Cell(key, prepared, cache)
    shape = (len(spec.channels), len(spec.esno_db), spec.num_trials)
    index = np.full(shape, NOT_RUN, dtype=np.int32)
    sets: dict[frozenset[str], int] = {}
    for c, channel in enumerate(spec.channels):
        for e, esno_db in enumerate(spec.esno_db):
            for t, arrived in enumerate(_delivered(task, cell, channel, esno_db)):
                index[c, e, t] = sets.setdefault(arrived, len(sets))
    quality = tuple(_quality(task, cell, s) for s in sets)
    return RhoResult(
        prepared.tags, prepared.infeasible or "", prepared.bpp, prepared.ledger.used,
        tuple(sets), index, quality,
    )  # fmt: skip


def run_task(task: Task) -> TaskResult:
    """Runs one system on one image over all channels, SNRs, bandwidths and trials."""
    by_rho = tuple(_run_rho(task, rho) for rho in task.spec.rho)
    return TaskResult(task.system, task.image, by_rho)
