"""Part of a (system, image, rho): prepare, see which layers arrive, score each usable set once.

Everything found lies in the cache; what a task returns is small, however many trials there were.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from channels.fading.models import channel_identity
from channels.phy.names import phy_identity
from channels.plugins import Loaded
from experiments.execution.cache import Cache, digest
from experiments.sweep.asked import metrics_at
from experiments.sweep.components import Components
from experiments.sweep.designs import Designs, Point, designs_of
from experiments.sweep.draws import draw_masks, draw_tags, num_draws
from experiments.sweep.links import Link
from experiments.sweep.made import check_code, link_of, load_system
from experiments.sweep.originals import Original
from experiments.sweep.points import (
    Masks,
    TrialLog,
    expected_masks,
    mask_dtype,
    run_trials,
    send_masks,
    set_of,
    trial_seeds,
)
from experiments.sweep.quality import Scorer
from experiments.sweep.results import CellResult, PointResult, SetQuality
from experiments.sweep.shown import shown_columns
from experiments.sweep.spec import SweepSpec
from scmc_comm.link.budget import CHANNEL_LAW, Budget, Design
from scmc_comm.link.prepared import Prepared
from scmc_comm.transmission import prepare, send
from scmc_comm.types import UNANNOTATED, Annotation

if TYPE_CHECKING:
    from scmc_comm.systems.base import System
    from scmc_comm.types import Reconstruction


@dataclass(frozen=True)
class Task:
    """What one worker is asked to do.

    Attributes:
        spec: The sweep.
        system: Name of the system.
        image: Name of the image.
        rho: Index of the bandwidth ratio.
        points: The channels and SNRs to run.
        original: The image.
        keep_png: Keep the reconstructions that a strip may show.
        metrics: Metrics to measure, those of the primary endpoints alone included.
        fingerprint: Identity of code and weights.
        cache_dir: Folder of the cache.
        components: The parts to build from.
        annotation: What the data set states of the image.
        plugins: What was loaded for the sweep, and so is where the task runs.
        run: Token of the run, see `channels.plugins.new_run`.
        features: Keep the features that metrics of sets compare.
    """

    spec: SweepSpec
    system: str
    image: str
    rho: int
    points: tuple[Point, ...]
    original: Original
    keep_png: bool
    metrics: tuple[str, ...]
    fingerprint: str
    cache_dir: Path
    components: Components
    annotation: Annotation = UNANNOTATED
    plugins: tuple[Loaded, ...] = ()
    run: str = ""
    features: bool = False

    @property
    def img_digest(self) -> str:
        """Content key of the image and the annotation."""
        return self.original.key(self.annotation)


def system_of(task: Task) -> System:
    """The system of a task."""
    return load_system(task.components, task.system)


def cell_key(task: Task, design: Design) -> str:
    """Content key of a preparation: what a design of the task depends on."""
    spec, system = task.spec, system_of(task)
    # The least that a preparation can depend on: other sweeps then share it.
    extra = (
        {"channel": channel_identity(design.channel)}
        if CHANNEL_LAW in system.side_information
        else {}
    )
    extra |= {"phy": phy_identity(design.phy)} if design.phy != "flat" else {}
    extra |= {"utility": spec.utility} if spec.utility != Budget.utility else {}
    extra |= {"control_bits": str(spec.control_bits)} if spec.control_bits else {}
    return digest(
        task.fingerprint, system.identity(), spec.rho[task.rho], design.esno_db, task.img_digest,
        *([extra] if extra else []),
    )  # fmt: skip


def task_designs(task: Task) -> Designs:
    """The designs of the task's system."""
    system = system_of(task)
    return designs_of(task.spec, system.side_information, system.analog)


def designs_in(task: Task) -> dict[int, list[Point]]:
    """The task's points, those of one design together, by the design's number."""
    of = task_designs(task).of
    found: dict[int, list[Point]] = {}
    for at in task.points:
        found.setdefault(of[at], []).append(at)
    return found


def prepared_key(cell_key: str) -> str:
    """Where a transmission lies in the cache, by its `cell_key`."""
    return digest("prepared", cell_key)


def prepare_cached(make: Callable[[], Prepared], key: str, cache: Cache) -> Prepared:
    """A transmission, or the one that was prepared before.

    Args:
        make: Prepares it; called only if it is not known.
        key: Content key of (code, system, image, budget).
        cache: Where transmissions are kept.
    """
    known = cache.get_json(prepared_key(key))
    if known is not None:
        return Prepared.from_dict(known)
    prepared = make()
    cache.put_json(prepared_key(key), prepared.to_dict())
    return prepared


def trial_log(cache: Cache, key: str, num_frames: int) -> TrialLog:
    """Where the trials of a point lie."""
    return TrialLog(cache, key, mask_dtype(num_frames))


def point_key(task: Task, cell: str, at: Point) -> str:
    """Content of what arrives at a point, of the preparation of this key."""
    spec = task.spec
    link = Link.parse(spec.channels[at[0]], spec.phy)
    phy = () if link.phy == "flat" else (phy_identity(link.phy),)
    channel = channel_identity(link.channel)
    where = (spec.estimator, cell, channel, spec.esno_db[at[1]], *phy)
    drawn = () if spec.estimator == "expected" else (spec.seed, task.image)
    return digest("point", *where, *drawn)


def _point(task: Task, cell: str, prepared: Prepared, cache: Cache, at: Point) -> PointResult:
    spec, esno_db = task.spec, task.spec.esno_db[at[1]]
    link = Link.parse(spec.channels[at[0]], spec.phy)
    model, phy = link_of(task.components, link, spec.estimator)
    key = point_key(task, cell, at)
    if spec.estimator == "expected":
        known = cache.get_json(key)
        if known is None:
            known = [*expected_masks(prepared, model, esno_db, phy).items()]
            cache.put_json(key, known)
        return PointResult(key, {int(mask): float(p) for mask, p in known})

    def draw(start: int, stop: int) -> Masks:
        seeds = trial_seeds(spec.seed, task.image, start, stop)
        return send_masks(prepared, model, esno_db, seeds, phy)

    log = trial_log(cache, key, len(prepared.frames))
    return PointResult(key, dict(run_trials(spec, log, len(prepared.frames), draw)))


def _scorer(task: Task, cache: Cache) -> Scorer:
    return Scorer(
        task.original.img, task.img_digest, task.components.measure,
        task.fingerprint, task.components.metric_identity, cache, task.annotation,
        task.components.features if task.features else None,
    )  # fmt: skip


def prepare_design(task: Task, number: int, cache: Cache) -> tuple[str, Prepared]:
    """Content key and transmission of one of the task's designs."""
    spec, design = task.spec, task_designs(task).each[number]
    key, img = cell_key(task, design), task.original.img
    budget = design.budget(spec.rho[task.rho], spec.utility, spec.control_bits)
    make = functools.partial(prepare, system_of(task), img, budget)
    return key, prepare_cached(make, key, cache)


def shown_key(task: Task, prepared: Prepared, usable: frozenset[str]) -> str:
    """Content of what the receiver has, whatever the design, rho or planner that sent it."""
    frames = ([frame.tag, frame.bits.tobytes()] for frame in prepared.frames if frame.tag in usable)
    receiver = system_of(task).receiver_identity()
    return digest("shown", task.fingerprint, receiver, task.img_digest, *chain(*frames))


def _run_design(task: Task, number: int, own: Sequence[Point], cache: Cache) -> CellResult:
    spec, system = task.spec, system_of(task)
    key, prepared = prepare_design(task, number, cache)
    points = {at: _point(task, key, prepared, cache, at) for at in own}
    columns = shown_columns(spec.esno_db, spec.design_esno_db) if task.keep_png else ()
    shown = {m for at, point in points.items() if at[1] in columns for m in point.weights}
    quality, scorer = {}, _scorer(task, cache)
    for mask in sorted({mask for point in points.values() for mask in point.weights}):
        usable = prepared.usable(set_of(prepared.tags, mask))
        show = functools.partial(system.reconstruct, prepared, usable)
        where = (at for at, point in points.items() if mask in point.weights)
        asked = metrics_at(spec, task.metrics, task.rho, where)
        seen = shown_key(task, prepared, usable)
        quality[mask] = scorer.quality(seen, asked, show, mask in shown)
    return _cell(task, number, prepared, prepared.tags, points, quality)


def draws_key(task: Task, cell: str, at: Point) -> str:
    """Content of the draws of an analog system at a point, of the preparation of this key."""
    spec = task.spec
    link, esno_db = Link.parse(spec.channels[at[0]], spec.phy), spec.esno_db[at[1]]
    channel, phy = channel_identity(link.channel), phy_identity(link.phy)
    return digest("draws", cell, channel, phy, esno_db, spec.seed, task.image)


def show_draw(task: Task, prepared: Prepared, at: Point, draw: int) -> Reconstruction:
    """What the receiver of an analog system shows of one draw at a point."""
    spec = task.spec
    link, esno_db = Link.parse(spec.channels[at[0]], spec.phy), spec.esno_db[at[1]]
    model, phy = link_of(task.components, link, spec.estimator)
    seeds = trial_seeds(spec.seed, task.image, draw, draw + 1)
    return system_of(task).reconstruct(
        prepared, send(prepared, model, esno_db, seeds, phy).received(0)
    )


def _run_draws(task: Task, number: int, at: Point, cache: Cache) -> CellResult:
    """An analog system at one point: a set for each draw, measured once."""
    spec, count = task.spec, num_draws(task.spec)
    cell, prepared = prepare_design(task, number, cache)
    key = draws_key(task, cell, at)
    tags = () if prepared.infeasible else draw_tags(count)
    masks = draw_masks(count) if tags else np.zeros(count, mask_dtype(0))
    log_key = digest("trials of draws", key, len(tags))
    list(trial_log(cache, log_key, len(tags)).extend(0, count, lambda a, b: masks[a:b]))
    keep = task.keep_png and at[1] in shown_columns(spec.esno_db, spec.design_esno_db)
    scorer, asked = _scorer(task, cache), metrics_at(spec, task.metrics, task.rho, [at])
    quality = {
        mask: scorer.quality(
            digest("draw", key, tags[n : n + 1]), asked,
            functools.partial(show_draw, task, prepared, at, n), keep,
        )
        for n, mask in enumerate(dict.fromkeys(masks.tolist()))
    }  # fmt: skip
    each = 1 / count if spec.estimator == "expected" else 1.0
    weights = {mask: each * times for mask, times in Counter(masks.tolist()).items()}
    return _cell(task, number, prepared, tags, {at: PointResult(log_key, weights)}, quality)


def _cell(
    task: Task,
    number: int,
    prepared: Prepared,
    tags: tuple[str, ...],
    points: dict[Point, PointResult],
    quality: dict[int, SetQuality],
) -> CellResult:
    ledger, analog = prepared.ledger, system_of(task).analog
    return CellResult(
        task.system, task.image, task.rho, number, task_designs(task).each[number], tags,
        prepared.infeasible or "", prepared.bpp, ledger.used, points, quality,
        sum(ledger.pilots), {} if analog else ledger.uses_by_item(),
        prepared.papr_db, _scorer(task, Cache(task.cache_dir)).original_features(),
        dict(prepared.left_out),
    )  # fmt: skip


def run_task(task: Task) -> list[CellResult]:
    """Runs some points of one (system, image, rho), those of one design after the other."""
    check_code(task.components, task.fingerprint, task.plugins, task.run)
    cache = Cache(task.cache_dir)
    if system_of(task).analog:
        return [_run_draws(task, n, at, cache) for n, (at,) in designs_in(task).items()]
    return [_run_design(task, n, points, cache) for n, points in designs_in(task).items()]
