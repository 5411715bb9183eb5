"""What the cache knows already of a sweep's tasks, and what the rest needs to be loaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from channels.types import Frame
from experiments.execution.cache import Cache, digest
from experiments.sweep.asked import metrics_at
from experiments.sweep.designs import Point
from experiments.sweep.draws import draw_tags, num_draws
from experiments.sweep.links import Link
from experiments.sweep.made import link_of
from experiments.sweep.points import set_of
from experiments.sweep.tasks import (
    Task,
    cell_key,
    designs_in,
    draws_key,
    point_key,
    prepared_key,
    shown_key,
    system_of,
    task_designs,
    trial_log,
)
from scmc_comm.link.prepared import Prepared


def _is_begun(task: Task, cell: str, at: Point, cache: Cache) -> bool:
    """Is anything known of what arrives at a point, for the preparation of this key?"""
    key = point_key(task, cell, at)
    expected = task.spec.estimator == "expected"
    return key in cache if expected else trial_log(cache, key, 0).is_begun()


def _needs(task: Task) -> tuple[bool, bool]:
    """Does an image have to be coded, and does a point have to be sent?"""
    cache = Cache(task.cache_dir)
    each = task_designs(task).each
    keys = {number: cell_key(task, each[number]) for number in designs_in(task)}
    unsent = False
    for number, points in designs_in(task).items():
        if system_of(task).analog:  # it is known to be sent once it is measured
            continue
        unsent |= not _is_begun(task, keys[number], points[0], cache)
    return not all(prepared_key(key) in cache for key in keys.values()), unsent


def is_finished(task: Task, number: int, points: Sequence[Point]) -> bool:
    """Does the cache hold what the points of a design need, metrics included?"""
    cache, key = Cache(task.cache_dir), cell_key(task, task_designs(task).each[number])
    known = cache.get_json(prepared_key(key))
    if known is None:
        return False
    prepared = Prepared.from_dict(known)
    return all(_is_scored(task, key, prepared, at, cache) for at in points)


def _is_scored(task: Task, cell: str, prepared: Prepared, at: Point, cache: Cache) -> bool:
    """Is what arrives at a point known, and its fullest set scored?"""
    if system_of(task).analog:
        shown = digest("draw", draws_key(task, cell, at), draw_tags(num_draws(task.spec))[-1:])
    else:
        masks = _masks(task, point_key(task, cell, at), len(prepared.frames), cache)
        if not masks:
            return False
        shown = shown_key(task, prepared, prepared.usable(set_of(prepared.tags, max(masks))))
    scored = cache.get_json(digest("quality", shown)) or {"metrics": {}}
    asked = metrics_at(task.spec, task.metrics, task.rho, [at])
    return all(task.components.metric_identity(name) in scored["metrics"] for name in asked)


def _masks(task: Task, key: str, num_frames: int, cache: Cache) -> list[int]:
    """Masks that are known to occur at a point: all, or those of its first trials."""
    if task.spec.estimator == "expected":
        return [int(mask) for mask, _ in cache.get_json(key) or ()]
    log = trial_log(cache, key, num_frames)
    return np.unique(next(log.read(1))).tolist() if log.is_begun() else []


def load_needed(tasks: Sequence[Task]) -> None:
    """Loads what the tasks still need, so that forked workers share it.

    That is the networks of systems that have an image to code, and the link if a point was never
    sent, with all that its first frame loads and compiles.
    """
    from scmc_comm.link.mcs import choose_mcs

    link = set()
    for task in tasks:
        uncoded, unsent = _needs(task)
        if uncoded:
            system_of(task).load()
        if unsent:
            phys = {Link.parse(channel, task.spec.phy).phy for channel in task.spec.channels}
            link |= {(task.components, phy, task.spec.estimator) for phy in phys}
    for components, phy_name, estimator in link:
        frame = Frame("warm-up", np.zeros(64, np.uint8), choose_mcs(0.0))
        model, phy = link_of(components, Link("awgn", phy_name), estimator)
        if estimator == "monte-carlo":  # tables may lack the scheme, and compile nothing
            phy.send([frame], model, 10.0, [0])
