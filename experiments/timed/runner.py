"""Runs a timed experiment: encode the pictures, run the link many times, score what arrived."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from channels.plugins import load, new_run
from experiments.computing.times import Times
from experiments.execution.cache import Cache, default_cache_dir, digest, write_atomic
from experiments.execution.executors import executor
from experiments.execution.netcdf import seal, write_dataset
from experiments.execution.output import check_folder
from experiments.specs import check_distinct
from experiments.sweep.components import Components
from experiments.sweep.distribution import per_picture
from experiments.sweep.made import fingerprint_of
from experiments.sweep.plugins_used import (
    ATTRIBUTE,
    say_what_is_replaced,
    to_json,
    used_plugins,
)
from experiments.timed import results
from experiments.timed.computing import computing_of, find_times
from experiments.timed.library import Library
from experiments.timed.schemes import Scheme
from experiments.timed.simulate import Job, Outcome, full_rate, run
from experiments.timed.spec import TimedSpec
from scmc_comm.errors import ScmcError
from scmc_comm.new_file import new_file

logger = logging.getLogger(__name__)

REAL = Components()


def run_timed(
    spec: TimedSpec,
    out_dir: str | Path,
    jobs: int = 1,
    *,
    dask: str | None = None,
    cache_dir: Path | None = None,
    components: Components = REAL,
    progress: bool = True,
) -> Path:
    """Runs a timed experiment and writes ``results.nc``, ``results.csv`` and ``spec.yaml``.

    The result depends on the spec, the code and the weights alone, and on measured times of
    encoders and decoders where a scheme asks for them: these lie in a file, which a rerun takes.
    Finished runs and pictures are remembered, so a killed experiment goes on where it was.

    Args:
        spec: The experiment.
        out_dir: Folder to write to.
        jobs: Number of processes.
        dask: Address of a Dask scheduler, or ``local``.
        cache_dir: Folder of finished work; None for the user's cache folder.
        components: What to build systems and metrics from.
        progress: Show progress bars.

    Returns:
        The output folder.

    Raises:
        ScmcError: A name that does not exist, or another error a user can mend.
    """
    new_run()
    for plugin in spec.plugins:
        load(plugin)
    folder = check_folder(out_dir)
    used = used_plugins(spec.named)
    say_what_is_replaced(folder, spec.to_yaml(), used)
    cache_dir = (cache_dir or default_cache_dir()).absolute()
    library = open_library(spec, cache_dir, components)
    times = find_times(spec, library, folder, progress)
    todo = make_jobs(spec, library, fingerprint_of(components), times)
    outcomes = _run_all(todo, Cache(cache_dir), jobs, dask, progress, spec.name)
    images = list(library.images)
    shown = sorted({
        (Scheme.parse(job.scheme).system, place, tags)
        for job, outcome in zip(todo, outcomes, strict=True)
        for place, tags in outcome.delivered
    })  # fmt: skip
    quality = {}
    for system, place, tags in tqdm(shown, "pictures", unit="picture", disable=not progress):
        delivered = frozenset(filter(None, tags.split("+")))
        quality[system, place, tags] = library.seen(system, images[place], delivered).metrics
    ds = results.dataset(spec, images, library, todo, outcomes, quality)
    if any(Scheme.parse(text).computes for text in spec.schemes):
        ds = results.with_computing(ds, spec, library, todo, outcomes)
        ds.attrs["machine"] = json.dumps(dict(times.machine) if times else {}, sort_keys=True)
    ds.attrs[ATTRIBUTE] = to_json(used)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "spec.yaml", spec.to_yaml().encode())
    write_atomic(folder / "results.csv", results.to_frame(ds).to_csv(index=False).encode())
    with new_file(folder / "results.nc") as part:
        write_dataset(ds, part)
        seal(part)
    return folder


def open_library(spec: TimedSpec, cache_dir: Path, components: Components) -> Library:
    """The pictures of an experiment.

    Raises:
        ScmcError: An unknown system, metric or image set.
    """
    schemes = [Scheme.parse(text) for text in spec.schemes]
    for scheme in schemes:
        scheme.check(components.make_system)
    same = {
        text: (components.make_system(scheme.system).identity(), replace(scheme, system=""))
        for text, scheme in zip(spec.schemes, schemes, strict=True)
    }
    check_distinct("schemes", same)
    if of_sets := [name for name in spec.metrics if name not in per_picture(spec.metrics)]:
        raise ScmcError(f"{of_sets[0]} is a metric of a set of pictures; the timed link has none")
    metrics = components.available_metrics(spec.metrics)
    for name in set(spec.metrics) - set(metrics):
        logger.warning("metric %s cannot be measured here; it is left out", name)
    if not metrics:
        raise ScmcError(f"none of the metrics {', '.join(spec.metrics)} can be measured here")
    images = components.load_images(spec.images, spec.num_images)
    return Library(
        images, schemes[0].system, spec.rho, spec.design_esno_db, metrics, Cache(cache_dir),
        components, components.annotations(spec.images, spec.num_images),
    )  # fmt: skip


def make_jobs(
    spec: TimedSpec, library: Library, fingerprint: str, times: Times | None = None
) -> list[Job]:
    """All runs, in the order of the axes; measured times where a scheme asks for them."""
    first = Scheme.parse(spec.schemes[0]).system
    rate = full_rate(spec, library.sizes(first), library.tags(first))
    todo = []
    for text in spec.schemes:
        system = Scheme.parse(text).system
        sizes, tags = tuple(library.sizes(system)), library.tags(system)
        computing = computing_of(Scheme.parse(text), library, times)
        fixed = (
            fingerprint, asdict(Scheme.parse(text)), [list(s.items()) for s in sizes], rate,
            spec.bandwidth_hz, spec.num_users, spec.spread_db, spec.speed_mps, spec.carrier_hz,
            spec.duration_s, spec.seed, spec.transmit_w, asdict(computing),
        )  # fmt: skip
        for value in spec.values:
            for replication in range(spec.num_replications):
                key = digest("timed run", *fixed, asdict(spec.at(value)), replication)
                at = text, value, replication
                todo.append(Job(spec, *at, sizes, tags, rate, key, computing))
    return todo


def _run_all(
    todo: list[Job], cache: Cache, jobs: int, dask: str | None, progress: bool, name: str
) -> list[Outcome]:
    known = {job.key: cache.get_json(job.key) for job in todo}
    missing = [job for job in todo if known[job.key] is None]
    done = len(todo) - len(missing)
    bar = tqdm(total=len(todo), initial=done, desc=name, unit="run", disable=not progress)
    with bar, executor(jobs, dask) as workers, closing(workers.run(run_keyed, missing)) as each:
        for key, outcome in each:
            counts = [[place, tags, n] for (place, tags), n in outcome.delivered.items()]
            known[key] = {**asdict(outcome), "delivered": counts}
            cache.put_json(key, known[key])
            bar.update()
    return [_outcome(known[job.key]) for job in todo]


def run_keyed(job: Job) -> tuple[str, Outcome]:
    """A run and its key; importable, for workers."""
    return job.key, run(job)


def _outcome(known: dict[str, Any]) -> Outcome:
    counts = {(place, tags): n for place, tags, n in known["delivered"]}
    return Outcome(**{**known, "delivered": counts})
