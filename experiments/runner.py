"""Run a sweep: every (system, image) as an independent task, then one result store."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from experiments import store
from experiments.cache import default_cache_dir, write_atomic
from experiments.components import Components
from experiments.executors import run_tasks
from experiments.spec import SweepSpec
from experiments.tasks import Task, TaskResult, png_bytes, run_task
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

REAL = Components()
ALWAYS = ("psnr_db", "mse")  # both kinds of average need them


def resolve_metrics(spec: SweepSpec, components: Components) -> tuple[str, ...]:
    """The metrics of the sweep that can be measured here.

    A perceptual metric whose weights are not on this machine is left out with a warning; its
    column is then missing, never filled with something else.
    """
    names = tuple(dict.fromkeys((*spec.metrics, *ALWAYS)))
    found = components.available_metrics(names)
    for name in names:
        if name not in found:
            logger.warning("metric %s cannot be measured here; it is left out", name)
    return found


def make_tasks(
    spec: SweepSpec,
    images: Mapping[str, torch.Tensor],
    metrics: tuple[str, ...],
    cache_dir: Path | None,
    components: Components,
) -> list[Task]:
    """One task per (system, image); the first images keep their reconstructions."""
    fingerprint = components.fingerprint()
    shown = list(images)[: spec.strip_images]
    return [
        Task(spec, system, name, img.numpy(), name in shown, metrics, fingerprint, cache_dir,
             components)
        for name, img in images.items()
        for system in spec.systems
    ]  # fmt: skip


def _save_pictures(
    spec: SweepSpec,
    folder: Path,
    images: Mapping[str, torch.Tensor],
    results: Sequence[TaskResult],
    sets: Sequence[str],
) -> None:
    for name in list(images)[: spec.strip_images]:
        write_atomic(store.original_path(folder, name), png_bytes(images[name]))
    for result in results:
        for r, cell in enumerate(result.by_rho):
            for tags, quality in zip(cell.sets, cell.quality, strict=True):
                if quality.png is not None:
                    at = sets.index(store.set_text(tags))
                    path = store.picture_path(folder, result.image, result.system, r, at)
                    write_atomic(path, quality.png)


def run_sweep(
    spec: SweepSpec,
    out_dir: str | Path,
    jobs: int = 1,
    *,
    cache_dir: Path | None = None,
    use_cache: bool = True,
    components: Components = REAL,
    progress: bool = True,
) -> Path:
    """Runs a sweep and writes its result store.

    The result depends on the sweep, the code and the weights alone: not on ``jobs``, nor on
    what was cached, nor on the order in which tasks finish.

    Args:
        spec: The sweep.
        out_dir: Folder for ``results.nc``, ``results.csv``, ``spec.yaml``, ``reconstructions``.
        jobs: Number of processes.
        cache_dir: Folder of finished work; None for the user's cache folder.
        use_cache: False computes everything and remembers nothing.
        components: What to build systems, channels and metrics from.
        progress: Show a progress bar.

    Returns:
        The output folder.

    Raises:
        ScmcError: A name that does not exist, or another error a user can mend.
    """
    folder = Path(out_dir)
    if folder.exists() and not folder.is_dir():
        raise ScmcError(f"output {folder} is a file; give a folder")
    components.check_names(spec)
    images = components.load_images(spec.images, spec.num_images)
    metrics = resolve_metrics(spec, components)
    where = (cache_dir or default_cache_dir()) if use_cache else None
    tasks = make_tasks(spec, images, metrics, where, components)
    results = list(
        tqdm(
            run_tasks(run_task, tasks, jobs),
            total=len(tasks), desc=spec.name, unit="task", disable=not progress,
        )
    )  # fmt: skip
    ds = store.build(spec, list(images), results, metrics)
    _save_pictures(spec, folder, images, results, [str(s) for s in ds.set.values])
    store.save(ds, spec, folder)
    return folder
