"""Part of a (system, image, rho): prepare, see which layers arrive, score each usable set once.

Everything found lies in the cache; what a task returns is small, however many trials there were.
"""

from __future__ import annotations

import functools
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from channels.types import Frame
from experiments.execution.cache import Cache, digest
from experiments.sweep.components import Components
from experiments.sweep.designs import (
    DEFAULT_UTILITY,
    KNOWABLE,
    Design,
    Designs,
    Point,
    budget_of,
    designs_of,
)
from experiments.sweep.draws import Draws, draw_masks, draw_tags, num_draws, num_seeds
from experiments.sweep.links import Link
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
from experiments.sweep.prepared import facts_cached, is_remembered, prepare, prepare_cached
from experiments.sweep.results import CellResult, PointResult, SetQuality
from experiments.sweep.shown import shown_columns
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.images import to_uint8

if TYPE_CHECKING:
    from scmc_comm.systems.base import Prepared


@dataclass(frozen=True)
class Task:
    """What one worker is asked to do.

    Attributes:
        spec: The sweep.
        system: Name of the system.
        image: Name of the image.
        rho: Index of the bandwidth ratio.
        points: The channels and SNRs to run.
        knows: What the system's sender knows of a point.
        analog: Does it send symbols rather than bits?
        img: float32 [3, H, W] in [0, 1], as an array so that it travels between processes.
        img_digest: Content key of ``img``.
        keep_png: Keep the reconstructions that a strip may show.
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
    knows: frozenset[str]
    analog: bool
    img: np.ndarray
    img_digest: str
    keep_png: bool
    metrics: tuple[str, ...]
    fingerprint: str
    cache_dir: Path
    components: Components


@functools.cache
def load_system(make_system: Callable[[str], Any], name: str) -> Any:
    """A system, loaded once a process, whatever the number of its tasks."""
    return make_system(name)


def _load(task: Task) -> Any:
    system = load_system(task.components.make_system, task.system)
    if system.knows != task.knows or not task.knows <= KNOWABLE:
        raise ScmcError(
            f"system {task.system} knows {sorted(system.knows)} of a point, its registry says "
            f"{sorted(task.knows)}; both must name the same out of {sorted(KNOWABLE)}"
        )
    return system


@functools.cache
def _link(components: Components, link: Link, estimator: str) -> tuple[Any, Any]:
    return components.make_channel(link.channel), components.make_phy(estimator, link.phy)


@functools.cache
def _identity(components: Components, system: str) -> str:
    return components.identity(system)


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


def _cell_key(task: Task, design: Design) -> str:
    spec = task.spec
    # The least that a preparation can depend on: other sweeps then share it.
    extra: dict[str, Any] = {"channel": design.channel} if "channel" in task.knows else {}
    extra |= {"phy": design.phy} if design.phy != "flat" else {}
    extra |= {"utility": spec.utility} if spec.utility != DEFAULT_UTILITY else {}
    system = _identity(task.components, task.system)
    return digest(
        task.fingerprint, system, spec.rho[task.rho], design.esno_db, task.img_digest,
        *([extra] if extra else []),
    )  # fmt: skip


def _designs(task: Task) -> Designs:
    return designs_of(task.spec, task.knows, task.analog)


def _by_design(task: Task) -> dict[int, list[Point]]:
    """The task's points, those of one design together."""
    of = _designs(task).of
    found: dict[int, list[Point]] = {}
    for at in task.points:
        found.setdefault(of[at], []).append(at)
    return found


def _needs(task: Task) -> tuple[bool, bool]:
    """Does an image have to be coded, and does a point have to be sent?"""
    cache, estimator = Cache(task.cache_dir), task.spec.estimator
    each = _designs(task).each
    keys = {number: _cell_key(task, each[number]) for number in _by_design(task)}
    unsent = False
    for number, points in _by_design(task).items():
        if task.analog:  # it is known to be sent once it is measured
            continue
        key = _point_key(task, keys[number], points[0])
        begun = key in cache if estimator == "expected" else trial_log(cache, key, 0).is_begun()
        unsent |= not begun
    return not all(is_remembered(key, cache) for key in keys.values()), unsent


def load_needed(tasks: Sequence[Task]) -> None:
    """Loads what the tasks still need, so that forked workers share it.

    That is the systems that have an image to code, and the link if a point was never sent, with
    all that its first frame loads and compiles.
    """
    from scmc_comm.link.mcs import choose_mcs

    link = set()
    for task in tasks:
        uncoded, unsent = _needs(task)
        if uncoded:
            _load(task)
        if unsent:
            phys = {Link.parse(channel, task.spec.phy).phy for channel in task.spec.channels}
            link |= {(task.components, phy, task.spec.estimator) for phy in phys}
    for components, phy_name, estimator in link:
        frame = Frame("warm-up", np.zeros(64, np.uint8), choose_mcs(0.0))
        model, phy = _link(components, Link("awgn", phy_name), estimator)
        if estimator == "monte-carlo":  # tables may lack the scheme, and compile nothing
            phy.send([frame], model, 10.0, [0])


def trial_log(cache: Cache, key: str, num_frames: int) -> TrialLog:
    """Where the trials of a point lie."""
    return TrialLog(cache, key, mask_dtype(num_frames))


def _point_key(task: Task, cell_key: str, at: Point) -> str:
    spec = task.spec
    link = Link.parse(spec.channels[at[0]], spec.phy)
    phy = () if link.phy == "flat" else (link.phy,)
    where = (spec.estimator, cell_key, link.channel, spec.esno_db[at[1]], *phy)
    drawn = () if spec.estimator == "expected" else (spec.seed, task.image)
    return digest("point", *where, *drawn)


def _point(task: Task, cell_key: str, prepared: Prepared, cache: Cache, at: Point) -> PointResult:
    spec, esno_db = task.spec, task.spec.esno_db[at[1]]
    link = Link.parse(spec.channels[at[0]], spec.phy)
    model, phy = _link(task.components, link, spec.estimator)
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


def _usable(
    cell_key: str, prepared: Prepared | Draws, cache: Cache, tags: frozenset[str]
) -> list[str]:
    """Those of the delivered tags that matter, remembered: to ask may take coding the image."""
    key = digest("usable", cell_key, sorted(tags))
    known: list[str] | None = cache.get_json(key)
    if known is None:
        known = sorted(prepared.usable(tags))
        cache.put_json(key, known)
    return known


def _scores(task: Task, img_hat: torch.Tensor, cache: Cache) -> dict[str, float]:
    """Metrics of a picture, remembered: several designs may show the same."""
    shown = digest(img_hat.contiguous().numpy().tobytes())
    key = digest("scores", task.fingerprint, task.img_digest, shown, list(task.metrics))
    known: dict[str, float] | None = cache.get_json(key)
    if known is None:
        scores = task.components.measure(torch.from_numpy(task.img), img_hat, task.metrics)
        known = {name: float(scores[name]) for name in task.metrics}
        cache.put_json(key, known)
    return known


def _quality(
    task: Task,
    cell_key: str,
    prepared: Prepared | Draws,
    cache: Cache,
    tags: frozenset[str],
    keep: bool,
) -> SetQuality:
    usable = _usable(cell_key, prepared, cache, tags)
    key = digest("quality", cell_key, usable, list(task.metrics))
    png_key = digest("png", cell_key, usable)
    known = cache.get_json(key)
    if known is None or (keep and cache.get(png_key) is None):
        seen = prepared.reconstruct(tags)
        img_hat = seen.img_hat.detach()
        known = {
            "metrics": _scores(task, img_hat, cache),
            "level": -1 if seen.level is None else int(seen.level),
            "caption": seen.caption or "",
        }
        cache.put_json(key, known)
        if keep:
            cache.put(png_key, png_bytes(img_hat))
    return SetQuality(known["metrics"], known["level"], known["caption"], png_key)


def _run_design(task: Task, number: int, own: Sequence[Point], cache: Cache) -> CellResult:
    spec, design = task.spec, _designs(task).each[number]
    key, budget = _cell_key(task, design), budget_of(spec, task.rho, design)
    make = functools.partial(_load, task)
    prepared = prepare_cached(make, torch.from_numpy(task.img), budget, key, cache)
    points = {at: _point(task, key, prepared, cache, at) for at in own}
    columns = shown_columns(spec.esno_db, spec.design_esno_db) if task.keep_png else ()
    shown = {m for at, point in points.items() if at[1] in columns for m in point.weights}
    quality = {
        mask: _quality(task, key, prepared, cache, set_of(prepared.tags, mask), mask in shown)
        for mask in sorted({mask for point in points.values() for mask in point.weights})
    }
    return CellResult(
        task.system, task.image, task.rho, number, design, prepared.tags,
        prepared.infeasible or "", prepared.bpp, prepared.ledger.used, points, quality,
        sum(prepared.ledger.pilots), prepared.ledger.uses_by_item(),
    )  # fmt: skip


def _run_draws(task: Task, number: int, at: Point, cache: Cache) -> CellResult:
    """An analog system at one point: a set for each draw, measured once."""
    from scmc_comm.systems.base import infeasible

    spec, design, count = task.spec, _designs(task).each[number], num_draws(task.spec)
    cell_key, budget = _cell_key(task, design), budget_of(spec, task.rho, design)
    link, esno_db = Link.parse(spec.channels[at[0]], spec.phy), spec.esno_db[at[1]]
    if link.phy != "flat":
        raise ScmcError(
            f"system {task.system} is analog and the link is {link.phy!r}; analog symbols cross "
            "the flat link only, leave the system or the link out"
        )
    model, phy = _link(task.components, link, spec.estimator)
    key = digest("draws", cell_key, spec.channels[at[0]], esno_db, spec.seed, task.image)
    encode = functools.cache(lambda: prepare(_load(task), torch.from_numpy(task.img), budget))
    facts = facts_cached(encode, cell_key, cache)
    tags = () if facts.infeasible else draw_tags(count)
    masks = draw_masks(count) if tags else np.zeros(count, mask_dtype(0))
    log_key = digest("trials of draws", key, len(tags))
    log = trial_log(cache, log_key, len(tags))
    list(log.extend(0, count, lambda start, stop: masks[start:stop]))
    seeds = trial_seeds(spec.seed, task.image, 0, num_seeds(count))
    draws: Prepared | Draws = Draws(encode, model, esno_db, seeds, phy)
    if not tags:
        draws = infeasible((task.img.shape[1], task.img.shape[2]), budget, facts.infeasible)
    keep = task.keep_png and at[1] in shown_columns(spec.esno_db, spec.design_esno_db)
    quality = {
        mask: _quality(task, key, draws, cache, set_of(tags, mask), keep)
        for mask in dict.fromkeys(masks.tolist())
    }
    each = 1 / count if spec.estimator == "expected" else 1.0
    weights = {mask: each * number for mask, number in Counter(masks.tolist()).items()}
    return CellResult(
        task.system, task.image, task.rho, number, design, tags, facts.infeasible, facts.bpp,
        facts.channel_uses, {at: PointResult(log_key, weights)}, quality,
        papr_db=facts.papr_db,
    )  # fmt: skip


def run_task(task: Task) -> list[CellResult]:
    """Runs some points of one (system, image, rho), those of one design after the other."""
    _check_code(task.components, task.fingerprint)
    cache = Cache(task.cache_dir)
    if task.analog:
        return [_run_draws(task, n, at, cache) for n, (at,) in _by_design(task).items()]
    return [_run_design(task, n, points, cache) for n, points in _by_design(task).items()]
