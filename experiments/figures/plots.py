"""Figures of a sweep, drawn from its result store and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr
from tqdm import tqdm

from experiments.execution.cache import write_atomic
from experiments.figures import parameters
from experiments.figures.curves import (
    Draw,
    View,
    curve_figure,
    draw_delivery,
    draw_loss,
    draw_quality,
)
from experiments.figures.perception import planes
from experiments.figures.sizes import size_jobs
from experiments.figures.strips import strip_figures
from experiments.figures.style import paper_style, save_figure
from experiments.figures.views import views
from experiments.sweep import store, summary
from experiments.sweep.labels import metric_label, metric_name, ratio_label, system_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Job = tuple[str, Callable[[], "Figure"]]


def _note(ds: xr.Dataset, bands: str, drawn: str) -> str:
    """What the bands mean; ``drawn`` is how they were found if trials were drawn."""
    images = ds.sizes["image"]
    over = f"{images} images" if images > 1 else "one image"
    analog = ""
    if bool(store.is_analog(ds).any()):
        analog = f"; analog systems: {ds.attrs['analog_trials']} channel draws a point and image"
    if store.is_exact(ds):
        kind = f"exact expectations; {bands}: 95 %, bootstrap over images"
        return f"{kind}, {over}; failures included{analog}"
    trials = ds.sizes["trial"]
    kind = f"{bands}: 95 %, {drawn}"
    drawn_each = f"with up to {trials} channel draws each"
    return f"{kind}, over {over} {drawn_each}; failures included{analog}"


def _quality_draw(metric: str, prefix: str) -> Draw:
    def draw(view: View, ax: Axes, channel: str) -> None:
        draw_quality(view, ax, channel, metric, prefix)

    return draw


def _jobs(view: View) -> list[Job]:
    ds = view.ds
    jobs: list[Job] = []
    arrivals = (1.25, "delivery\nprobability", draw_delivery)
    sent = view.arrivals.sizes["unit"] > 0
    for metric in (m for m in store.metric_names(ds) if m != "mse"):
        if bool(view.found.value_mean.sel(metric=metric).isnull().all()):
            continue
        label = metric_label(metric)
        rows = [(2.5, label, _quality_draw(metric, "value")), *([arrivals] if sent else [])]
        note = _note(ds, "bands", "nested bootstrap (Wilson for delivery)")
        draw = partial(curve_figure, view, rows, sent, note, bounds=True)
        jobs.append((f"{metric}_{view.stem}", draw))
        if ds.sizes["system"] > 1:
            reference = system_label(str(ds.system.values[0]))
            rows = [
                (
                    2.5,
                    f"{metric_name(metric)} minus that of\n{reference}",
                    _quality_draw(metric, "difference"),
                )
            ]
            note = _note(ds, "bands of paired differences", "nested bootstrap")
            stem = f"{metric}_difference_{view.stem}"
            jobs.append((stem, partial(curve_figure, view, rows, False, note)))
    jobs += planes(view)
    if sent:
        rows = [(2.5, "probability of loss", draw_loss)]
        note = _note(ds, "arrows (no loss seen, upper limit) and bands", "Wilson")
        jobs.append((f"loss_{view.stem}", partial(curve_figure, view, rows, True, note)))
    return jobs


def _parameter_jobs(ds: xr.Dataset, found: xr.Dataset, arrivals: xr.Dataset) -> list[Job]:
    """Figures over what the entries of the channels differ in; none if they are plain channels."""
    how = parameters.plan([str(name) for name in ds.channel.values], str(ds.attrs.get("phy", "")))
    if how is None:
        return []
    note = _note(ds, "bands", "nested bootstrap (Wilson for delivery)")
    jobs: list[Job] = []
    for rho in map(float, ds.rho.values):
        for metric in (m for m in store.metric_names(ds) if m != "mse"):
            stem = f"{metric}_{how.x}_rho{ratio_label(rho)}"
            draw = partial(parameters.figure, ds, found, arrivals, how, metric, rho, note)
            jobs.append((stem, draw))
    return jobs


def _csv(ds: xr.Dataset) -> bytes:
    return bytes(ds.to_dataframe().reset_index().to_csv(index=False), "utf-8")


def plot_sweep(folder: str | Path, progress: bool = True) -> list[Path]:
    """Draws all figures of a finished sweep into ``DIR/figures``.

    Args:
        folder: Output folder of `experiments.sweep.runner.run_sweep`.
        progress: Show a progress bar.

    Returns:
        The files written: PDF and PNG figures, and the numbers drawn as ``summary.csv`` and
        ``delivery.csv``.

    Raises:
        ScmcError: The folder holds no results.
    """
    with store.reading(Path(folder) / "results.nc") as ds:
        target = Path(folder) / "figures"
        found, arrivals = summary.quality(ds), summary.delivery(ds)
        paths = [target / "summary.csv", target / "delivery.csv"]
        write_atomic(paths[0], _csv(summary.table(ds, found)))
        write_atomic(paths[1], _csv(arrivals))
        jobs = size_jobs(ds, _note(ds, "bands", "nested bootstrap"))
        jobs += _parameter_jobs(ds, found, arrivals)
        if not jobs:
            jobs = [job for view in views(ds, found, arrivals) for job in _jobs(view)]
        jobs += strip_figures(ds, Path(folder))
        with paper_style():
            for stem, draw in tqdm(jobs, desc="figures", unit="figure", disable=not progress):
                paths += save_figure(draw(), target, stem)
    return paths
