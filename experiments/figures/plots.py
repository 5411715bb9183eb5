"""Figures of a sweep, drawn from its result store and nothing else."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from tqdm import tqdm

from experiments.execution.cache import write_atomic
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
from experiments.figures.style import remove_others, save_figure
from experiments.figures.views import View, views
from experiments.sweep import store, summary
from experiments.sweep.delivery import delivery_probabilities


def bands_note(ds: xr.Dataset, bands: str, drawn: str) -> str:
    """What the bands mean; ``drawn`` is how they were found if trials were drawn."""
    images = ds.sizes["image"]
    over = f"{images} images" if images > 1 else "one image"
    if store.is_exact(ds):
        note = f"{store.expectation_note(ds)}; {bands}: 95 %, bootstrap over images, {over}"
    else:
        each = f"with up to {ds.sizes['trial']} channel draws each"
        note = f"{bands}: 95 %, {drawn}, over {over} {each}"
    analog = f"; analog systems: {ds.attrs.get('analog_trials')} channel draws a point and image"
    return f"{note}; failures included{analog if bool(store.is_analog(ds).any()) else ''}"


def sweep_charts(view: View) -> list[Chart]:
    """All charts of a view, in the order in which they are drawn."""
    held = view.held.replace("ρ", r"$\rho$").replace("Es/N0", "$E_s/N_0$")

    def note(bands: str, drawn: str) -> str:
        return f"{held}; {bands_note(view.ds, bands, drawn)}"

    return [
        *quality_charts(view, note("bands", "nested bootstrap (Wilson for delivery)")),
        *difference_charts(view, note("bands of paired differences", "nested bootstrap")),
        *plane_charts(view, held),
        *loss_charts(view, note("arrows (no loss seen, upper limit) and bands", "Wilson")),
    ]


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
        found, arrivals = summary.quality(ds), delivery_probabilities(ds)
        paths = [target / "summary.csv", target / "delivery.csv"]
        write_atomic(paths[0], _csv(summary.table(ds, found)))
        write_atomic(paths[1], _csv(arrivals))
        how = plan([str(name) for name in ds.channel.values], str(ds.attrs.get("phy", "")))
        charts = size_charts(ds, bands_note(ds, "bands", "nested bootstrap"))
        if how is not None:
            note = bands_note(ds, "bands", "nested bootstrap (Wilson for delivery)")
            charts += parameter_charts(ds, found, arrivals, how, note)
        if not charts:
            charts = [chart for view in views(ds, found, arrivals) for chart in sweep_charts(view)]
        figures: list[Chart | Strip] = [*charts, *strips(ds, Path(folder))]
        for figure in tqdm(figures, desc="figures", unit="figure", disable=not progress):
            paths += save_figure(figure.draw(), target, figure.stem)
    remove_others(target, paths)
    return paths
