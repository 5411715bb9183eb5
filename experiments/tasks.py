"""Part of a (system, image, rho): prepare, see which layers arrive, score each delivered set once.

Everything found lies in the cache; what a task returns is small, however many trials there were.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from channels.types import Frame
from experiments.cache import Cache, digest
from experiments.components import Components
from experiments.points import (
    Masks,
    TrialLog,
    expected_masks,
    mask_dtype,
    run_trials,
    send_masks,
    set_of,
    trial_seeds,
)
from experiments.prepared import is_remembered, prepare_cached
from experiments.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.images import to_uint8

if TYPE_CHECKING:
    from scmc_comm.system import Prepared

Point = tuple[int, int]
"""Index of the channel and of the Es/N0 in the sweep's axes."""


@dataclass(frozen=True)
class Task:
    """What one worker is asked to do.

    Attributes:
        spec: The sweep.
        system: Name of the system.
        image: Name of the image.
        rho: Index of the bandwidth ratio.
        points: The channels and SNRs to run.
        img: float32 [3, H, W] in [0, 1], as an array so that it travels between processes.
        img_digest: Content key of ``img``.
        keep_png: Keep the reconstructions too.
        metrics: Metrics to measure.
        fingerprint: Identity of code and weights.
        cache_dir: Folder of the cache.
        components: The parts to build from.
    """

    spec: SweepSpec
    system: str
    image: str
    rho: int
    points: tuple[Point, ...]
    img: np.ndarray
    img_digest: str
    keep_png: bool
    metrics: tuple[str, ...]
    fingerprint: str
    cache_dir: Path
    components: Components


@dataclass(frozen=True)
class SetQuality:
    """What the receiver makes of one delivered set."""

    metrics: dict[str, float]
    level: int
    caption: str


@dataclass(frozen=True)
class PointResult:
    """What arrived at a point.

    Attributes:
        key: Content key of the point; its trials lie in the cache under it.
        weights: For each mask its number of trials or, as the sum over it is exact, its
            probability.
    """

    key: str
    weights: Mapping[int, float]


@dataclass(frozen=True)
class CellResult:
    """The outcome of the points of one (system, image, rho).

    Attributes:
        system: Name of the system.
        image: Name of the image.
        rho: Index of the bandwidth ratio.
        key: Content key of the cell.
        frames: Tags sent; none if the budget is infeasible.
        infeasible: Why nothing could be sent, or empty.
        bpp: Bits per pixel put on the wire once.
        channel_uses: Complex channel uses charged by the ledger.
        points: What arrived, by channel and Es/N0.
        quality: What the receiver makes of each mask that occurred.
    """

    system: str
    image: str
    rho: int
    key: str
    frames: tuple[str, ...]
    infeasible: str
    bpp: float
    channel_uses: int
    points: Mapping[Point, PointResult]
    quality: Mapping[int, SetQuality]


@functools.cache
def load_system(make_system: Callable[[str], Any], name: str) -> Any:
    """A system, loaded once a process, whatever the number of its tasks."""
    return make_system(name)


@functools.cache
def _link(components: Components, channel: str, estimator: str) -> tuple[Any, Any]:
    return components.make_channel(channel), components.make_phy(estimator)


@functools.cache
def fingerprint_of(components: Components) -> str:
    """Identity of the code and weights that this process runs, hashed once."""
    return components.fingerprint()


def _check_code(components: Components, fingerprint: str) -> None:
    found = fingerprint_of(components)
    if found != fingerprint:
        raise ScmcError(
            f"a worker runs other code, weights or packages ({found[:12]}) than the sweep "
            f"({fingerprint[:12]}); install the same version on every machine"
        )


def digest_of(img: np.ndarray) -> str:
    """Content key of a picture."""
    return digest(list(img.shape), str(img.dtype), np.ascontiguousarray(img).tobytes())


def _cell_key(task: Task) -> str:
    spec = task.spec
    return digest(
        task.fingerprint, task.system, spec.rho[task.rho], spec.design_esno_db, task.img_digest
    )


def load_needed(tasks: Sequence[Task]) -> None:
    """Loads what the tasks still need, so that forked workers share it.

    That is the systems that have an image to code, and the link if a point was never sent, with
    all that its first frame loads and compiles.
    """
    from scmc_comm.link.mcs import choose_mcs

    link = set()
    for task in tasks:
        cache, cell_key, estimator = Cache(task.cache_dir), _cell_key(task), task.spec.estimator
        if not is_remembered(cell_key, cache):
            load_system(task.components.make_system, task.system)
        key = _point_key(task, cell_key, task.points[0])
        if not (key in cache if estimator == "expected" else trial_log(cache, key, 0).is_begun()):
            link.add((task.components, estimator))
    for components, estimator in link:
        frame = Frame("warm-up", np.zeros(64, np.uint8), choose_mcs(0.0))
        model, phy = _link(components, "awgn", estimator)
        phy.send([frame], model, 10.0, [0])


def trial_log(cache: Cache, key: str, num_frames: int) -> TrialLog:
    """Where the trials of a point lie."""
    return TrialLog(cache, key, mask_dtype(num_frames))


def _point_key(task: Task, cell_key: str, at: Point) -> str:
    spec = task.spec
    where = (spec.estimator, cell_key, spec.channels[at[0]], spec.esno_db[at[1]])
    drawn = () if spec.estimator == "expected" else (spec.seed, task.image)
    return digest("point", *where, *drawn)


def _point(task: Task, cell_key: str, prepared: Prepared, cache: Cache, at: Point) -> PointResult:
    spec, esno_db = task.spec, task.spec.esno_db[at[1]]
    model, phy = _link(task.components, spec.channels[at[0]], spec.estimator)
    key = _point_key(task, cell_key, at)
    if spec.estimator == "expected":
        known = cache.get_json(key)
        if known is None:
            known = [*expected_masks(prepared, model, esno_db, phy).items()]
            cache.put_json(key, known)
        return PointResult(key, {int(mask): float(p) for mask, p in known})

    def send(start: int, stop: int) -> Masks:
        seeds = trial_seeds(spec.seed, task.image, start, stop)
        return send_masks(prepared, model, esno_db, seeds, phy)

    log = trial_log(cache, key, len(prepared.frames))
    return PointResult(key, dict(run_trials(spec, log, len(prepared.frames), send)))


def png_bytes(img: torch.Tensor) -> bytes:
    """A picture, float [3, H, W] in [0, 1], as 8-bit PNG."""
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(img)).save(buffer, format="PNG")
    return buffer.getvalue()


def picture_key(cell_key: str, tags: frozenset[str]) -> str:
    """Content key of the reconstruction of a delivered set, as PNG."""
    return digest("png", cell_key, sorted(tags))


def _quality(
    task: Task, cell_key: str, prepared: Prepared, cache: Cache, tags: frozenset[str]
) -> SetQuality:
    key = digest("quality", cell_key, sorted(tags), list(task.metrics))
    png_key = picture_key(cell_key, tags)
    known = cache.get_json(key)
    if known is None or (task.keep_png and cache.get(png_key) is None):
        seen = prepared.reconstruct(tags)
        img_hat = seen.img_hat.detach()
        scores = task.components.measure(torch.from_numpy(task.img), img_hat, task.metrics)
        known = {
            "metrics": {name: float(scores[name]) for name in task.metrics},
            "level": -1 if seen.level is None else int(seen.level),
            "caption": seen.caption or "",
        }
        cache.put_json(key, known)
        if task.keep_png:
            cache.put(png_key, png_bytes(img_hat))
    return SetQuality(known["metrics"], known["level"], known["caption"])


def run_task(task: Task) -> CellResult:
    """Runs some points of one (system, image, rho)."""
    from scmc_comm.system import Budget

    _check_code(task.components, task.fingerprint)
    cache = Cache(task.cache_dir)
    budget = Budget(rho=task.spec.rho[task.rho], design_esno_db=task.spec.design_esno_db)
    key = _cell_key(task)
    make = functools.partial(load_system, task.components.make_system, task.system)
    prepared = prepare_cached(make, torch.from_numpy(task.img), budget, key, cache)
    points = {at: _point(task, key, prepared, cache, at) for at in task.points}
    masks = sorted({mask for point in points.values() for mask in point.weights})
    quality = {
        mask: _quality(task, key, prepared, cache, set_of(prepared.tags, mask)) for mask in masks
    }
    return CellResult(
        task.system, task.image, task.rho, key, prepared.tags, prepared.infeasible or "",
        prepared.bpp, prepared.ledger.used, points, quality,
    )  # fmt: skip
