"""Strips of reconstructions: what the receiver shows, system by system, as the SNR falls."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from experiments import store
from experiments.plot_style import channel_label, ratio_label, system_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_COLUMNS = 6
TILE = 1.12  # inches


def _columns(ds: xr.Dataset) -> list[float]:
    """At most six SNRs, spread evenly, the design SNR among them where it was swept."""
    grid = np.sort(ds.esno_db.values)
    if len(grid) <= MAX_COLUMNS:
        return [float(v) for v in grid]
    chosen = set(grid[np.round(np.linspace(0, len(grid) - 1, MAX_COLUMNS)).astype(int)])
    nearest = float(grid[np.argmin(np.abs(grid - ds.attrs["design_esno_db"]))])
    if nearest not in chosen:
        inner = sorted(chosen)[1:-1]
        chosen.discard(min(inner, key=lambda v: abs(v - nearest)))
        chosen.add(nearest)
    return sorted(float(v) for v in chosen)


def _set_text(delivered: str, frames: str) -> str:
    if not frames:
        return "infeasible"
    if not delivered:
        return "nothing arrived"
    if delivered == frames:
        return "all layers" if "+" in frames else "arrived"
    return delivered.replace("+", " + ")


def _bare(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _show(ax: Axes, path: Path) -> None:
    from PIL import Image

    _bare(ax)
    with Image.open(path) as picture:
        ax.imshow(np.asarray(picture), interpolation="antialiased")


def _tile(ax: Axes, ds: xr.Dataset, folder: Path, at: dict[str, int], delivered: int) -> None:
    point = ds.isel({k: v for k, v in at.items() if k in ds.dims})
    system, image = str(point.system.values), str(point.image.values)
    _show(ax, store.picture_path(folder, image, system, at["rho"], delivered))
    seen = point.isel(set=delivered)
    text = _set_text(str(seen.set.values), str(point.frames.values))
    ax.set_xlabel(f"{float(seen.psnr_db):.1f} dB\n{text}", fontsize=6.2, labelpad=2)


def _caption(ds: xr.Dataset, image: int, rho: int) -> str:
    """The caption that receivers of this image saw, if any."""
    texts = ds.caption.isel(image=image, rho=rho).values.astype(str).ravel()
    return next((t for t in texts if t), "")


def _strip(ds: xr.Dataset, folder: Path, image: int, channel: int, rho: int) -> Figure:
    from matplotlib.figure import Figure as NewFigure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    snrs = _columns(ds)
    sets, what = shown_sets(ds, image, channel, rho)
    rows = ds.sizes["system"]
    size = (TILE * (len(snrs) + 1.55) + 0.35, (TILE + 0.27) * rows + 0.4)
    page = ConstrainedLayoutEngine(
        rect=(0.005, 0.01, 0.99, 0.98), w_pad=0.02, h_pad=0.03, wspace=0, hspace=0
    )
    figure = NewFigure(figsize=size, layout=page)
    grid = figure.add_gridspec(rows, len(snrs) + 1, width_ratios=[1.3, *[1.0] * len(snrs)])
    left = figure.add_subplot(grid[:, 0])
    left.set_anchor("N")
    _show(left, store.original_path(folder, str(ds.image.values[image])))
    left.set_title("original", fontsize=7.5)
    caption = _caption(ds, image, rho)
    if caption:
        lines = max(2, int((size[1] - 2.3) / 0.105))  # room below the original at 6.2 pt
        text = textwrap.wrap(caption, 27, max_lines=lines, placeholder=" ...")
        left.set_xlabel("caption sent:\n" + "\n".join(text), fontsize=6.2, labelpad=3)
    levels = {float(v): i for i, v in enumerate(ds.esno_db.values)}
    for s in range(rows):
        for c, esno_db in enumerate(snrs):
            ax = figure.add_subplot(grid[s, c + 1])
            at = {"system": s, "channel": channel, "esno_db": levels[esno_db], "rho": rho,
                  "image": image}  # fmt: skip
            _tile(ax, ds, folder, at, int(sets[s, levels[esno_db]]))
            if s == 0:
                ax.set_title(f"{esno_db:g} dB", fontsize=7.5)
            if c == 0:
                label = system_label(str(ds.system.values[s])).replace(", ", ",\n")
                ax.set_ylabel(label.replace(" + ", " +\n"), fontsize=7)
    name = channel_label(str(ds.channel.values[channel]))
    figure.suptitle(
        rf"{name}, $\rho$ = {ratio_label(float(ds.rho[rho]))}, {what}: "
        "what each receiver shows at each $E_s/N_0$",
        fontsize=8,
    )
    return figure


def shown_sets(ds: xr.Dataset, image: int, channel: int, rho: int) -> tuple[np.ndarray, str]:
    """Index of the delivered set to show, [system, esno_db], and which it is, in words."""
    point = ds.isel(image=image, channel=channel, rho=rho)
    if store.is_exact(ds):
        likely = point.probability.transpose("system", "esno_db", "set").values.argmax(axis=-1)
        return likely, "the likeliest outcome"
    trial = typical_trial(ds, image, channel, rho)
    found = point.delivered_set.isel(trial=trial).transpose("system", "esno_db").values
    return found, f"channel draw {trial} (that of median PSNR)"


def typical_trial(ds: xr.Dataset, image: int, channel: int, rho: int) -> int:
    """The channel draw of median PSNR, averaged over all systems and SNRs.

    One draw for all systems, chosen by none of them, and neither a lucky nor a deep fade.
    """
    point = {"image": [image], "channel": [channel], "rho": [rho]}
    psnr = store.expand(ds.isel(point), ["psnr_db"]).psnr_db
    scores = psnr.mean(("system", "esno_db"), skipna=False).values.ravel()
    run = np.flatnonzero(~np.isnan(scores))
    if not len(run):  # stopped early somewhere: the first draw is always there
        return 0
    return int(run[np.argsort(scores[run], kind="stable")[(len(run) - 1) // 2]])


def strip_figures(ds: xr.Dataset, folder: Path) -> list[tuple[str, Callable[[], Figure]]]:
    """Figures of reconstructions, rows systems, columns SNR; every system sees the same fade.

    Args:
        ds: A result store.
        folder: The sweep's folder, which holds the reconstructions.

    Returns:
        (file stem, function that draws) for each image kept, channel and bandwidth.
    """
    jobs: list[tuple[str, Callable[[], Figure]]] = []
    for i, image in enumerate(map(str, ds.image.values)):
        if not store.original_path(folder, image).is_file():
            continue
        for c, channel in enumerate(map(str, ds.channel.values)):
            for r, rho in enumerate(ds.rho.values):
                stem = f"strip_{image}_{channel}_rho{ratio_label(float(rho)).replace('/', '-')}"
                jobs.append((stem, partial(_strip, ds, folder, i, c, r)))
    return jobs
