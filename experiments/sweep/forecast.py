"""What a sweep will cost: seconds of a core, from one measurement of each part on this machine.

Parts are a design of a system, prepared, sent and shown for one picture, and a metric of one
reconstruction. What was measured lies in the cache, so that a second forecast costs little.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from channels.plugins import load
from experiments.execution.cache import default_cache_dir
from experiments.statistics.tables import time_text
from experiments.sweep.asked import metrics_at
from experiments.sweep.components import Components
from experiments.sweep.costs import UnknownCostError, kept_cost, seconds_of, total_text
from experiments.sweep.known import is_finished, load_needed
from experiments.sweep.originals import originals, sizes_of
from experiments.sweep.runner import ALWAYS, REAL, make_tasks, resolve_metrics
from experiments.sweep.spec import SweepSpec
from experiments.sweep.tasks import Task, designs_in, run_task


@dataclass(frozen=True)
class Forecast:
    """What is left to do of a sweep; bounds are not in it.

    Attributes:
        points: Points of each system, all images and bandwidths together.
        designs: For each system the designs times pictures that are left, and all of them.
        coding_s: For each system seconds of a core for encoding, decoding, planning and sending.
        metrics_s: For each system those of each metric.
    """

    points: int
    designs: Mapping[str, tuple[int, int]]
    coding_s: Mapping[str, float]
    metrics_s: Mapping[str, Mapping[str, float]]

    @property
    def total_s(self) -> float:
        """Of a core for all."""
        return sum(self.coding_s.values()) + sum(sum(m.values()) for m in self.metrics_s.values())

    @property
    def each_point_s(self) -> dict[str, float]:
        """For each system seconds of a core of one point, those that are known already included."""
        return {
            name: (self.coding_s[name] + sum(self.metrics_s[name].values())) / self.points
            for name in self.designs
        }

    def text(self, jobs: int) -> str:
        """A line for each system, and the sum; with so many processes it takes that much less."""
        lines = [
            f"{system}: {left} of {of} encodings left, {time_text(self.coding_s[system])} of a core"
            + "".join(
                f", {name} {time_text(s)}" for name, s in self.metrics_s[system].items() if s >= 0.5
            )
            for system, (left, of) in self.designs.items()
        ]
        return "\n".join([*lines, f"{total_text(self.total_s, jobs)}; bounds not counted"])


def forecast(
    spec: SweepSpec,
    calibrate: bool = True,
    cache_dir: Path | None = None,
    components: Components = REAL,
) -> Forecast | None:
    """Looks at what is in the cache, and measures what a part costs where that is not known.

    A part is measured on the first picture of each size, at the middle bandwidth and design, on one
    core; that takes as long as one design of each system.

    Args:
        spec: The sweep.
        calibrate: Measure; without it there is no forecast where a part was never measured.
        cache_dir: Folder of finished work; None for the user's cache folder.
        components: What to build systems, channels and metrics from.

    Raises:
        ScmcError: As `experiments.sweep.runner.run_sweep`, before it runs.
    """
    plugins = tuple(load(plugin) for plugin in spec.plugins)
    components.check_names(spec)
    images = originals(components.load_images(spec.images, spec.num_images))
    components.check_sizes(spec, sizes_of(images))
    metrics = resolve_metrics(spec, components)
    where = (cache_dir or default_cache_dir()).absolute()
    annotations = components.annotations(spec.images, spec.num_images)
    tasks = make_tasks(spec, images, metrics, where, components, 1, annotations, plugins)
    try:
        parts = _parts(tasks, calibrate)
    except UnknownCostError:
        return None
    left = {name: [0, 0] for name in spec.systems}
    coding = dict.fromkeys(spec.systems, 0.0)
    metrics = tasks[0].metrics
    scoring = {name: dict.fromkeys(metrics, 0.0) for name in spec.systems}
    for task in tasks:
        part = parts[task.system, task.original.size]
        for number, points in designs_in(task).items():
            left[task.system][1] += 1
            if is_finished(task, number, points):
                continue
            left[task.system][0] += 1
            coding[task.system] += part["cell_s"]
            for name in metrics_at(spec, metrics, task.rho, points):
                scoring[task.system][name] += part["sets"] * part[name]
    total = len(spec.channels) * len(spec.esno_db) * len(spec.rho) * len(images)
    return Forecast(total, {name: (a, b) for name, (a, b) in left.items()}, coding, scoring)


Parts = dict[tuple[str, tuple[int, int]], dict[str, float]]


def _parts(tasks: Sequence[Task], calibrate: bool) -> Parts:
    """Cost of a design of each system and size of picture, and of each metric of a set."""
    middle = len(tasks[0].spec.rho) // 2
    typical: dict[tuple[str, tuple[int, int]], Task] = {}
    for task in tasks:
        if task.rho == middle:
            typical.setdefault((task.system, task.original.size), task)
    found = {}
    bar = tqdm(typical.items(), "calibration", unit="system", leave=False, disable=not calibrate)
    for at, task in bar:
        kept = partial(kept_cost, task.cache_dir, task.fingerprint, calibrate=calibrate)
        metric_s = {
            name: kept(("metric", name, at[1]), partial(_metric_s, task, name))["s"]
            for name in task.metrics
        }
        found[at] = metric_s | kept(_identity(task), partial(_part, task))
    return found


def _identity(task: Task) -> tuple[object, ...]:
    spec = task.spec
    trials = () if spec.estimator == "expected" else (spec.num_trials, spec.analog_trials)
    return (
        "part", task.system, task.original.size, spec.rho[task.rho], spec.utility, spec.estimator,
        spec.channels, spec.esno_db, spec.phy, *trials,
    )  # fmt: skip


def _metric_s(task: Task, name: str) -> dict[str, float]:
    img = task.original.img
    once = partial(task.components.measure, img, img.flip(-1), (name,), task.annotation)
    once()  # loads the network, and computes what is kept of the original
    return {"s": seconds_of(once)}


def _part(task: Task) -> dict[str, float]:
    """One design, with metrics that cost nothing: its time, and how many sets it shows."""
    each = designs_in(task)
    points = each[sorted(each)[len(each) // 2]]
    with tempfile.TemporaryDirectory(prefix="scmc-comm-") as folder:
        alone = replace(task, points=tuple(points), metrics=ALWAYS, cache_dir=Path(folder))
        load_needed([alone])
        cells = []
        cell_s = seconds_of(lambda: cells.extend(run_task(alone)))
    return {"cell_s": cell_s, "sets": float(np.mean([len(cell.quality) for cell in cells]))}
