"""Strips of reconstructions: what the receiver shows, system by system, as the SNR falls."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from experiments.sweep import store
from experiments.sweep.labels import channel_label, ratio_label, system_label
from experiments.sweep.shown import shown
from scmc_comm.systems.scmc import usable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TILE = 1.12  # inches


def set_text(delivered: str, frames: str) -> str:
    """What arrived, for people, without parts of the signal that nothing can be made of.

    Example:
        >>> set_text("semantic+signal.2", "semantic+signal+signal.2")
        'semantic'
        >>> set_text("signal.2", "semantic+signal+signal.2")
        'nothing usable'
    """
    if not frames:
        return "infeasible"
    if not delivered:
        return "nothing arrived"
    if frames == store.SYMBOLS:
        return "analog"
    if delivered == frames:
        return "all layers" if "+" in frames else "arrived"
    return store.set_text(usable(store.set_tags(delivered))).replace("+", " + ") or "nothing usable"


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
    design = at["design"]
    _show(ax, store.picture_path(folder, image, system, at["rho"], design, delivered))
    seen = point.isel(set=delivered)
    text = set_text(str(seen.set.values), str(point.frames.values))
    ax.set_xlabel(f"{float(seen.psnr_db):.1f} dB\n{text}", fontsize=6.2, labelpad=2)


def caption_of(ds: xr.Dataset, image: int, rho: int) -> str:
    """The caption that receivers of this image saw, if any."""
    texts = ds.caption.isel(image=image, rho=rho).values.astype(str).ravel()
    return next((t for t in texts if t), "")


def _strip(ds: xr.Dataset, folder: Path, image: int, channel: int, rho: int) -> Figure:
    from matplotlib.figure import Figure as NewFigure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    found = shown(ds, image, channel, rho)
    snrs = ds.esno_db.values[list(found.columns)].tolist()
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
    caption = caption_of(ds, image, rho)
    if caption:
        lines = max(2, int((size[1] - 2.3) / 0.105))  # room below the original at 6.2 pt
        text = textwrap.wrap(caption, 27, max_lines=lines, placeholder=" ...")
        left.set_xlabel("caption sent:\n" + "\n".join(text), fontsize=6.2, labelpad=3)
    for s in range(rows):
        for c, esno_db in enumerate(snrs):
            ax = figure.add_subplot(grid[s, c + 1])
            at = {"system": s, "rho": rho, "image": image, "design": int(found.designs[s, c])}
            _tile(ax, ds, folder, at, int(found.sets[s, c]))
            if s == 0:
                ax.set_title(f"{esno_db:g} dB", fontsize=7.5)
            if c == 0:
                label = system_label(str(ds.system.values[s])).replace(", ", ",\n")
                ax.set_ylabel(label.replace(" + ", " +\n"), fontsize=7)
    name = channel_label(str(ds.channel.values[channel]))
    figure.suptitle(
        rf"{name}, $\rho$ = {ratio_label(float(ds.rho[rho]))}, {found.what}: "
        "what each receiver shows at each $E_s/N_0$",
        fontsize=8,
    )
    return figure


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
