"""Run a sweep: fill the cache with what every point needs, in any order, then write the store."""

from __future__ import annotations

import functools
import itertools
import logging
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from channels.phy.names import expectation_draws
from channels.plugins import Loaded, current_run, load, new_run
from experiments.execution.cache import Cache, default_cache_dir, made_cache
from experiments.execution.executors import Executor, executor
from experiments.execution.output import check_folder
from experiments.sweep import writer
from experiments.sweep.components import Components
from experiments.sweep.designs import Designs, Point, designs_of
from experiments.sweep.distribution import per_picture
from experiments.sweep.known import load_needed
from experiments.sweep.labels import ratio_label
from experiments.sweep.links import Link
from experiments.sweep.made import fingerprint_of, load_system
from experiments.sweep.originals import Original, originals, sizes_of
from experiments.sweep.plugins_used import Used, say_what_is_replaced, used_plugins
from experiments.sweep.rate_points import RateTask, bound_tasks, measure_curves
from experiments.sweep.results import CellResult
from experiments.sweep.shards import Shard
from experiments.sweep.spec import SweepSpec
from experiments.sweep.tasks import Task, run_task
from scmc_comm.errors import ScmcError
from scmc_comm.types import UNANNOTATED, Annotation

logger = logging.getLogger(__name__)

REAL = Components()
ALWAYS = ("psnr_db", "mse")  # both kinds of average need them
_TASKS_PER_WORKER = 4  # fewer would leave workers idle at the end
_DESIGNS_PER_TASK = 8


def resolve_metrics(spec: SweepSpec, components: Components) -> tuple[str, ...]:
    """The metrics of the sweep that can be measured here.

    A perceptual metric whose weights are not on this machine is left out with a warning; its
    column is then missing, never filled with something else.

    Raises:
        ScmcError: A metric of sets of pictures is to be measured at primary endpoints alone.
    """
    if of_sets := [m for m in spec.primary_metrics if m not in per_picture([m])]:
        raise ScmcError(f"{of_sets[0]} is a metric of sets of pictures; name it in 'metrics'")
    names = tuple(dict.fromkeys((*spec.metrics, *ALWAYS, *spec.primary_metrics)))
    found = components.available_metrics(names)
    for name in names:
        if name not in found:
            logger.warning("metric %s cannot be measured here; it is left out", name)
    return found


def make_tasks(
    spec: SweepSpec,
    images: Mapping[str, Original],
    metrics: tuple[str, ...],
    cache_dir: Path,
    components: Components,
    workers: int = 1,
    annotations: Mapping[str, Annotation] | None = None,
    plugins: tuple[Loaded, ...] = (),
) -> list[Task]:
    """Tasks that together hold each point once.

    All points of one (system, image, rho) make a task, since they share the encodings of one
    picture; where that gives the workers too few tasks, each is split over its points.
    """
    fingerprint, run = fingerprint_of(components), current_run()
    stated = {name: (annotations or {}).get(name, UNANNOTATED) for name in images}
    systems = {name: load_system(components, name) for name in spec.systems}
    shown = list(images)[: spec.strip_images]
    cells = [
        (name, system, r)
        for name in images
        for r in range(len(spec.rho))  # systems of one rho share the draws of an OFDM link
        for system in spec.systems
    ]
    wanted = math.ceil(_TASKS_PER_WORKER * workers / len(cells)) if workers > 1 else 1
    parts = {
        name: _split(designs_of(spec, system.side_information, system.analog), wanted)
        for name, system in systems.items()
    }
    return [
        Task(spec, system, name, r, part, images[name], name in shown,
             per_picture(metrics), fingerprint, cache_dir, components, stated[name], plugins, run,
             per_picture(metrics) != metrics)
        for name, system, r in cells
        for part in parts[system]
    ]  # fmt: skip


def _split(designs: Designs, wanted: int) -> list[tuple[Point, ...]]:
    """All points in so many parts, or more: of a part with few designs the progress is seen."""
    points = sorted(designs.of, key=lambda at: (designs.of[at], at))
    parts = min(max(wanted, math.ceil(len(designs.each) / _DESIGNS_PER_TASK)), len(points))
    if len(designs.each) == 1:  # high SNRs take less work than low ones: mix them
        return [tuple(points[part::parts]) for part in range(parts)]
    bounds = [len(points) * part // parts for part in range(parts + 1)]
    return [tuple(points[a:b]) for a, b in itertools.pairwise(bounds)]


@contextmanager
def _cache_folder(cache_dir: Path | None, use_cache: bool) -> Iterator[Path]:
    if use_cache:
        yield made_cache((cache_dir or default_cache_dir()).absolute())
        return
    with tempfile.TemporaryDirectory(prefix="scmc-comm-") as folder:
        yield Path(folder)


def run_sweep(
    spec: SweepSpec,
    out_dir: str | Path,
    jobs: int = 1,
    *,
    dask: str | None = None,
    cache_dir: Path | None = None,
    use_cache: bool = True,
    components: Components = REAL,
    progress: bool = True,
    each_point_s: Mapping[str, float] | None = None,
) -> Path:
    """Runs a sweep and writes its result store.

    The result depends on the sweep, the code and the weights alone: not on where and in how many
    processes it runs, nor on what was cached, nor on the order in which tasks finish. A run that
    was killed at any moment goes on from its last finished trials when it is started again.

    Args:
        spec: The sweep.
        out_dir: Folder for ``results.nc``, ``results.csv``, ``spec.yaml``, ``reconstructions``.
        jobs: Number of processes.
        dask: Address of a Dask scheduler, or ``local``; see `experiments.execution.executors`.
        cache_dir: Folder of finished work, seen by all workers; None for the user's cache folder.
        use_cache: False computes everything and remembers nothing.
        components: What to build systems, channels and metrics from.
        progress: Show a progress bar.
        each_point_s: For each system what a point is thought to cost in seconds of a core
            (`experiments.sweep.forecast`); the bar, and the time that it says is left, then go by
            that and not by points.

    Returns:
        The output folder.

    Raises:
        ScmcError: A name that does not exist, or another error a user can mend.
    """
    known = _checked(spec, components, progress)
    folder = check_folder(out_dir)
    say_what_is_replaced(folder, spec.to_yaml(), known.used)
    with _cache_folder(cache_dir, use_cache) as where, executor(jobs, dask) as workers:
        tasks, bounds = known.tasks(where, workers.workers)
        results = _fill(tasks, spec.name, workers, progress, each_point_s)
        _say_left_out(spec, results)
        rates = measure_curves(bounds, workers, f"{spec.name}, bounds", progress)
        draws = _fade_draws(spec, components)
        writer.write(
            spec, known.images, results, known.metrics, Cache(where), folder, rates, draws,
            known.used,
        )  # fmt: skip
    return folder


def run_shard(
    spec: SweepSpec,
    shard: Shard,
    jobs: int = 1,
    *,
    cache_dir: Path | None = None,
    components: Components = REAL,
    progress: bool = True,
) -> int:
    """Runs one part of a sweep: what is finished goes to the cache, and no results are written.

    `run_sweep` with the same cache folder, when all shards are through, finds everything there and
    writes byte for byte what it writes alone. How a sweep is divided depends on the number of
    shards, not on the number of processes.

    Args:
        spec: The sweep.
        shard: Which part.
        jobs: Number of processes.
        cache_dir: Folder that all shards share; None for the user's cache folder.
        components: What to build systems, channels and metrics from.
        progress: Show a progress bar.

    Returns:
        Number of tasks in the shard.

    Raises:
        ScmcError: As `run_sweep`.
    """
    known = _checked(spec, components, progress)
    with _cache_folder(cache_dir, True) as where, executor(jobs) as workers:
        every_task, every_bound = known.tasks(where, shard.count)
        tasks, bounds = shard.of(every_task), shard.of(every_bound)
        title = f"{spec.name}, shard {shard.number}/{shard.count}"
        _fill(tasks, title, workers, progress)
        measure_curves(bounds, workers, f"{title}, bounds", progress)
    return len(tasks) + len(bounds)


@dataclass(frozen=True)
class _Checked:
    """A sweep whose names exist, with its pictures and what can be measured of them."""

    spec: SweepSpec
    components: Components
    plugins: tuple[Loaded, ...]
    images: Mapping[str, Original]
    annotations: Mapping[str, Annotation]
    metrics: tuple[str, ...]
    used: Used

    def tasks(self, where: Path, parts: int) -> tuple[list[Task], list[RateTask]]:
        """What is computed: of points, for so many workers or shards at least; and of bounds."""
        tasks = make_tasks(
            self.spec, self.images, self.metrics, where, self.components, parts,
            self.annotations, self.plugins,
        )  # fmt: skip
        everywhere = [m for m in per_picture(self.metrics) if m not in self.spec.primary_metrics]
        bounds = bound_tasks(
            self.spec, self.images, tuple(everywhere), fingerprint_of(self.components), where,
            self.components, self.annotations,
        )  # fmt: skip
        return tasks, bounds


def _checked(spec: SweepSpec, components: Components, progress: bool) -> _Checked:
    new_run()
    plugins = tuple(load(plugin) for plugin in spec.plugins)
    components.check_names(spec)
    images = originals(components.load_images(spec.images, spec.num_images), progress)
    components.check_sizes(spec, sizes_of(images))
    annotations = components.annotations(spec.images, spec.num_images)
    metrics = resolve_metrics(spec, components)
    used = used_plugins(spec.named)
    return _Checked(spec, components, plugins, images, annotations, metrics, used)


def _fill(
    tasks: list[Task],
    title: str,
    workers: Executor,
    progress: bool,
    each_point_s: Mapping[str, float] | None = None,
) -> list[CellResult]:
    weight = each_point_s or {task.system: 1 for task in tasks}
    total = sum(len(task.points) * weight[task.system] for task in tasks)
    unit = "s of a core" if each_point_s else "point"
    results: list[CellResult] = []
    warm_up = functools.partial(load_needed, tasks)
    bar = tqdm(total=round(total), desc=title, unit=unit, disable=not progress)
    with bar, closing(workers.run(run_task, tasks, warm_up)) as each:
        for found in each:
            results += found
            done = sum(len(cell.points) * weight[cell.system] for cell in results)
            bar.update(round(done) - bar.n)
    return results


def _say_left_out(spec: SweepSpec, results: Sequence[CellResult]) -> None:
    """A line for each layer that a system was to send and did not everywhere."""
    found: dict[tuple[str, str], list[CellResult]] = {}
    for cell in results:
        for tag in cell.left_out:
            found.setdefault((cell.system, tag), []).append(cell)
    for (system, tag), cells in sorted(found.items()):
        of = sum(cell.system == system for cell in results)
        first = min(cells, key=lambda cell: (cell.image, cell.rho, cell.design))
        logger.warning(
            "%s does not send its %s in %d of %d transmissions; of %s at rho = %s: %s",
            system, tag, len(cells), of, first.image, ratio_label(spec.rho[first.rho]),
            first.left_out[tag],
        )  # fmt: skip


def _fade_draws(spec: SweepSpec, components: Components) -> tuple[int, ...]:
    """See `writer.write`."""
    if spec.estimator != "expected":
        return ()
    links = [Link.parse(entry, spec.phy) for entry in spec.channels]
    return tuple(
        expectation_draws(link.phy, components.make_channel(link.channel)) for link in links
    )
