"""Figures of a sweep, drawn from its result store and nothing else."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from tqdm import tqdm

from experiments.execution.cache import write_atomic
from experiments.execution.output import check_folder
from experiments.figures.chart import Chart
from experiments.figures.curves import (
    difference_charts,
    loss_charts,
    plane_charts,
    quality_charts,
)
from experiments.figures.parameters import parameter_charts, plan
from experiments.figures.sizes import size_charts
from experiments.figures.strips import Strip, strips
from experiments.figures.style import TABLES, remove_others, save_figure
from experiments.figures.views import View, views
from experiments.statistics.means import FEW_IMAGES
from experiments.sweep import store, summary
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.labels import metric_name


def bands_note(ds: xr.Dataset, bands: str = "bands") -> str:
    """What the bands mean, and over what they are."""
    images = ds.sizes["image"]
    exact = store.is_exact(ds)
    draws = "" if exact else f"up to {ds.sizes['trial']} channel draws"
    if images == 1:
        how = f"95 %, bootstrap over {draws} of one image" if draws else "none, one image"
    elif images < FEW_IMAGES:
        how = f"95 %, Student's t over {images} images" + (f" with {draws} each" if draws else "")
    else:
        how = f"95 %, bootstrap over {images} images" + (f" and {draws} each" if draws else "")
    start = f"{store.expectation_note(ds)}; " if exact else ""
    analog = f"; analog systems: {ds.attrs.get('analog_trials')} channel draws a point and image"
    end = analog if bool(store.is_analog(ds).any()) else ""
    partial = ", ".join(map(metric_name, store.partial_metrics(ds)))
    end += f"; {partial}: measured at the primary endpoints alone" if partial else ""
    return f"{start}{bands}: {how}; failures included{end}"


def sweep_charts(view: View) -> list[Chart]:
    """All charts of a view, in the order in which they are drawn."""
    held = view.held

    def note(bands: str) -> str:
        return f"{held}; {bands_note(view.ds, bands)}"

    return [
        *quality_charts(view, note("bands")),
        *difference_charts(view, note("bands of paired differences")),
        *plane_charts(view, held),
        *loss_charts(view, note("arrows (no loss seen, upper limit) and bands")),
    ]


def _csv(ds: xr.Dataset) -> bytes:
    """The rows of a dataset, without points at which a metric was not measured."""
    frame = ds.to_dataframe().reset_index()
    frame = frame[frame.pop("measured")] if "measured" in frame else frame
    return bytes(frame.to_csv(index=False), "utf-8")


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
        target = check_folder(Path(folder) / "figures")
        found, arrivals = summary.quality(ds), delivery_probabilities(ds)
        paths = [target / table for table in TABLES]
        write_atomic(paths[0], _csv(summary.table(ds, found)))
        write_atomic(paths[1], _csv(arrivals))
        how = plan([str(name) for name in ds.channel.values], str(ds.attrs.get("phy", "")))
        charts = size_charts(ds, bands_note(ds))
        if how is not None:
            charts += parameter_charts(ds, found, arrivals, how, bands_note(ds))
        if not charts:
            charts = [chart for view in views(ds, found, arrivals) for chart in sweep_charts(view)]
        figures: list[Chart | Strip] = [*charts, *strips(ds, Path(folder))]
        for figure in tqdm(figures, desc="figures", unit="figure", disable=not progress):
            paths += save_figure(figure.draw(), target, figure.stem)
    remove_others(target, paths)
    return paths
