"""Strips of reconstructions: what the receiver shows, system by system, as the SNR falls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from experiments.execution.output import distinct_name
from experiments.figures.panel import wrapped
from experiments.figures.style import paper_style
from experiments.sweep import store
from experiments.sweep.labels import channel_label, ratio_label, system_label, unit_label
from experiments.sweep.shown import shown
from scmc_comm.types import LayerKind, usable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TILE = 1.12  # inches
_NO_STEM = r"[^\w.-]+"


def set_text(delivered: str, frames: str, level: int = LayerKind.SIGNAL) -> str:
    """What arrived, for people, without layers and parts that nothing can be made of.

    Args:
        delivered: Tags that arrived, joined by ``+``.
        frames: Tags that were sent.
        level: The highest layer used, -1 for none: a signal that was coded given the structure
            shows nothing without it.

    Example:
        >>> set_text("semantic+structure", "semantic+structure+signal")
        'caption + structure'
        >>> set_text("semantic+structure", "semantic+structure")
        'caption + structure (all sent)'
        >>> set_text("semantic+signal", "semantic+signal+signal.2")
        'caption + signal (1 of 2)'
        >>> set_text("semantic+signal", "semantic+structure+signal", LayerKind.SEMANTIC)
        'caption'
        >>> set_text("signal.2", "semantic+signal+signal.2")
        'nothing usable'
    """
    if not frames:
        return "infeasible"
    if not delivered:
        return "nothing arrived"
    if frames == store.SYMBOLS:
        return "analog"
    above = {kind.tag for kind in LayerKind if kind > level}
    used = {t for t in usable(store.set_tags(delivered)) if t.partition(".")[0] not in above}
    tags = store.set_text(frozenset(used)).split("+")
    parts, sent = (sum(tag.startswith("signal") for tag in of) for of in (tags, frames.split("+")))
    units = [unit_label(tag) for tag in tags if tag and not tag.startswith("signal.")]
    if 0 < parts < sent:
        units[-1] += f" ({parts} of {sent})"
    partial = not sent and "semantic" in frames and delivered == frames
    return (" + ".join(units) or "nothing usable") + (" (all sent)" if partial else "")


Tile = tuple[Path, str]
"""A picture, and its PSNR and what arrived, a line each."""


@dataclass(frozen=True)
class Strip:
    """Reconstructions of one picture over one channel at one bandwidth; all saw the same fades.

    Attributes:
        stem: Name of its files, without ending.
        image: Name of the picture.
        original: The picture that was sent.
        caption: The caption that receivers saw, or empty.
        where: Channel, bandwidth and which outcome, in words.
        esno_db: The SNR of each column.
        rows: Label of each system and its tiles.
    """

    stem: str
    image: str
    original: Path
    caption: str
    where: str
    esno_db: tuple[float, ...]
    rows: tuple[tuple[str, tuple[Tile, ...]], ...]

    def draw(self) -> Figure:
        """Rows are systems, columns SNRs, the original on the left."""
        columns, rows = len(self.esno_db), len(self.rows)
        width, height = TILE * (columns + 1.55) + 0.35, (TILE + 0.27) * rows + 0.4
        with paper_style():
            from matplotlib.figure import Figure as NewFigure
            from matplotlib.layout_engine import ConstrainedLayoutEngine

            page = ConstrainedLayoutEngine(
                rect=(0.005, 0.01, 0.99, 0.98), w_pad=0.02, h_pad=0.03, wspace=0, hspace=0
            )
            figure = NewFigure(figsize=(width, height), layout=page)
            grid = figure.add_gridspec(rows, columns + 1, width_ratios=[1.3, *[1.0] * columns])
            left = figure.add_subplot(grid[:, 0])
            left.set_anchor("N")
            _show(left, self.original, _caption(self.caption, height))
            left.set_title("original", fontsize=7.5)
            for r, (label, tiles) in enumerate(self.rows):
                for c, (path, text) in enumerate(tiles):
                    ax = figure.add_subplot(grid[r, c + 1])
                    _show(
                        ax, path, "\n".join(wrapped(line, TILE, 6.2) for line in text.split("\n"))
                    )
                    if r == 0:
                        level = f"{self.esno_db[c]:g} dB".replace(
                            "-", "\N{MINUS SIGN}"
                        )  # as on axes
                        ax.set_title(level, fontsize=7.5)
                    if c == 0:
                        ax.set_ylabel(wrapped(label, TILE, 7), fontsize=7)
            said = f"{self.where}: what each receiver shows at each Es/N0"
            figure.suptitle(wrapped(said, width, 8), fontsize=8)
        return figure


def _show(ax: Axes, path: Path, text: str) -> None:
    from PIL import Image

    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(text, fontsize=6.2, labelpad=2)
    with Image.open(path) as picture:
        ax.imshow(np.asarray(picture), interpolation="antialiased")


def _caption(caption: str, height: float) -> str:
    """As much of the caption as there is room for below the original."""
    if not caption:
        return ""
    most = max(2, int((height - 2.3) / 0.105))
    lines = wrapped(caption, 1.35, 6.2).split("\n")
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + " ..."]
    return "caption sent:\n" + "\n".join(lines)


def _tile(ds: xr.Dataset, folder: Path, at: dict[str, int], delivered: int) -> Tile:
    point = ds.isel({name: value for name, value in at.items() if name in ds.dims})
    system, image = str(point.system.values), str(point.image.values)
    seen = point.isel(set=delivered)
    path = store.picture_path(folder, image, system, at["rho"], at["design"], delivered)
    arrived = set_text(str(seen.set.values), str(point.frames.values), int(seen.level))
    return path, f"{float(store.set_table(seen, 'psnr_db')):.1f} dB\n{arrived}"


def strip(ds: xr.Dataset, folder: Path, image: int, channel: int, rho: int) -> Strip:
    """The strip of an image, a channel and a bandwidth, given by their indices."""
    found = shown(ds, image, channel, rho)
    rows = []
    for s, system in enumerate(map(str, ds.system.values)):
        at = {"system": s, "rho": rho, "image": image}
        tiles = [
            _tile(ds, folder, at | {"design": int(design)}, int(delivered))
            for design, delivered in zip(found.designs[s], found.sets[s], strict=True)
        ]
        rows.append((system_label(system), tuple(tiles)))
    name, over = str(ds.image.values[image]), str(ds.channel.values[channel])
    ratio = ratio_label(float(ds.rho[rho]))
    captions = ds.caption.isel(image=image, rho=rho).values.astype(str).ravel()
    return Strip(
        f"strip_{distinct_name(name, _NO_STEM)}_{over}_rho{ratio.replace('/', '-')}", name,
        store.original_path(folder, name), next(filter(None, captions), ""),
        f"{channel_label(over)}, ρ = {ratio}, {found.what}",
        tuple(ds.esno_db.values[list(found.columns)].tolist()), tuple(rows),
    )  # fmt: skip


def strips(ds: xr.Dataset, folder: Path, most: int | None = None) -> list[Strip]:
    """The strips of the images that a sweep kept.

    Args:
        ds: A result store.
        folder: The sweep's folder, which holds the reconstructions.
        most: None for all; else so many at the middle bandwidth.
    """
    kept = [
        i for i, name in enumerate(map(str, ds.image.values))
        if store.original_path(folder, name).is_file()
    ]  # fmt: skip
    middle = int(np.argsort(ds.rho.values)[(ds.sizes["rho"] - 1) // 2])
    rhos = range(ds.sizes["rho"]) if most is None else [middle]
    places = [(i, c, r) for i in kept for c in range(ds.sizes["channel"]) for r in rhos]
    return [strip(ds, folder, *place) for place in places[:most]]
