"""Figures of a rate-distortion run: quality over rate, and BD-rates with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from experiments.figures.style import GREY, Style, paper_style, save_figure, styles
from experiments.rd.anchors import Anchors, counterparts
from experiments.rd.codecs import name_parts
from experiments.rd.tables import metric_columns
from experiments.sweep.labels import metric_label, metric_name, system_label
from scmc_comm.types import FINEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMN = 3.5  # inches; two columns make the width of a two-column page
_MS_SSIM_TICKS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
_LAYERS = {
    "semantic": ("caption", (3, 5), "left"),
    f"structure {FINEST}": ("+ structure", (0, -10), "center"),
}


def _grammar(name: str) -> str:
    """A codec's name as systems are written."""
    family, options, is_file = name_parts(name)
    words = ",".join(filter(None, [options, "headers=file" * is_file]))
    return f"{family}:{words}" if words else family


def codec_label(name: str) -> str:
    """Legend entry of a codec.

    Example:
        >>> codec_label("vvc-file"), codec_label("hyperprior=nets"), codec_label("scmc:realism=0")
        ('VVC, with headers', 'Hyperprior', 'SCMC, no perceptual refinement')
    """
    return system_label(_grammar(name))


def line_styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """How each codec is drawn."""
    found = styles([_grammar(name) for name in names])
    return {name: _look(found[_grammar(name)]) for name in names}


def _look(style: Style) -> dict[str, Any]:
    edge = style.colour if style.hollow or style.marker in "xX+" else "white"
    return {
        "color": style.colour, "marker": style.marker, "linestyle": style.line,
        "markerfacecolor": "white" if style.hollow else style.colour,
        "markeredgecolor": edge, "markeredgewidth": 0.5,
    }  # fmt: skip


def draw_figures(
    curves: pd.DataFrame, bd: pd.DataFrame, note: str, folder: Path, anchors: Anchors | None
) -> list[Path]:
    """Draw all figures as PDF and PNG.

    Args:
        curves: Means by codec and point, `experiments.rd.tables.curve_table`.
        bd: `experiments.rd.tables.bd_table`.
        note: What was measured, in small print.
        folder: Where to write.
        anchors: Published curves to draw as thin lines, of the codecs' counterparts.

    Returns:
        The files written.
    """
    paths = []
    metrics = metric_columns(curves)
    with paper_style():
        paths += save_figure(_overview(curves, metrics, note, anchors), folder, "rd")
        for metric in metrics:
            paths += save_figure(_single(curves, metric, note, anchors), folder, f"rd_{metric}")
        for reference in bd["reference"].unique():
            part = bd[bd["reference"] == reference]
            if part["percent"].notna().any():
                paths += save_figure(_bd_figure(part, reference), folder, f"bd_{reference}")
    return paths


def _overview(
    curves: pd.DataFrame, metrics: list[str], note: str, anchors: Anchors | None
) -> Figure:
    from matplotlib.figure import Figure

    rows = -(-len(metrics) // 2)
    columns = min(2, len(metrics))
    size = (_COLUMN * columns, 2.6 * rows + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for ax, metric in zip(grid.flat, metrics, strict=False):
        _draw(ax, curves, metric, anchors)
    for ax in grid.flat[len(metrics) :]:
        ax.set_visible(False)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(note, fontsize=7, color=GREY)
    return figure


def _single(curves: pd.DataFrame, metric: str, note: str, anchors: Anchors | None) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_COLUMN, 3.7), layout="constrained")
    ax = figure.subplots()
    _draw(ax, curves, metric, anchors)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=6.5,
        columnspacing=1.0,
    )  # fmt: skip
    figure.suptitle(note, fontsize=6, color=GREY)
    return figure


def _draw(ax: Axes, curves: pd.DataFrame, metric: str, anchors: Anchors | None) -> None:
    names = list(curves["codec"].unique())
    styles = line_styles(names)
    for name in names:
        part = curves[(curves["codec"] == name) & curves[metric].notna()]
        ax.plot(part["bpp"], part[metric], label=codec_label(name), **styles[name])
        for _, row in part[part["point"].isin(list(_LAYERS))].iterrows():
            text, offset, side = _LAYERS[row["point"]]
            ax.annotate(
                text, (row["bpp"], row[metric]), xytext=offset, textcoords="offset points",
                fontsize=6, color=styles[name]["color"], ha=side, zorder=1.5,
            )  # fmt: skip
    if anchors is not None:
        _draw_anchors(ax, names, metric, anchors, styles, curves["bpp"])
    ax.set_xscale("log")
    ax.margins(y=0.07)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlabel("rate (bpp, every byte counted)")
    ax.set_ylabel(metric_label(metric))
    if metric == "ms_ssim":  # by the logarithm of what is missing to 1, else all crowds there
        ax.set_yscale("function", functions=(_missing_db, _from_missing_db))
        ends = _missing_db([curves[metric].min(), curves[metric].max()])
        low, high = _from_missing_db(ends + np.array([-1.0, 1.0]))  # a margin of 1 dB
        ax.set_ylim(low, high)
        ax.set_yticks([tick for tick in _MS_SSIM_TICKS if low <= tick <= high])
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _missing_db(ms_ssim: Any) -> Any:
    return -10 * np.log10(np.maximum(1 - np.asarray(ms_ssim), 1e-6))


def _from_missing_db(decibels: Any) -> Any:
    return 1 - 10 ** (-np.asarray(decibels) / 10)


def _draw_anchors(
    ax: Axes,
    names: list[str],
    metric: str,
    anchors: Anchors,
    styles: dict[str, dict[str, Any]],
    bpp: pd.Series,
) -> None:
    drawn: set[str] = set()
    for name in names:
        for published in counterparts(name, anchors):
            curve = anchors.curves[published]
            if metric not in curve or published in drawn:
                continue
            drawn.add(published)
            near = (curve["bpp"] > bpp.min() / 2) & (curve["bpp"] < bpp.max() * 1.5)
            ax.plot(
                curve["bpp"][near], curve[metric][near], color=styles[name]["color"],
                linewidth=0.7, linestyle=":", zorder=1.5,
            )  # fmt: skip
    if drawn:
        label = f"published ({anchors.dataset.partition(',')[0]})"
        ax.plot([], [], color=GREY, linewidth=0.7, linestyle=":", label=label)


def _bd_figure(bd: pd.DataFrame, reference: str) -> Figure:
    from matplotlib.figure import Figure

    metrics = [m for m in bd["metric"].unique() if bd[bd["metric"] == m]["percent"].notna().any()]
    codecs = list(bd["codec"].unique())
    size = (1.6 + 1.4 * len(metrics), 0.7 + 0.26 * len(codecs))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    styles = line_styles(codecs)
    for ax, metric in zip(axes, metrics, strict=True):
        part = bd[bd["metric"] == metric].set_index("codec")
        for y, codec in enumerate(codecs):
            row = part.loc[codec] if codec in part.index else None
            if row is None or not np.isfinite(row["percent"]):
                ax.annotate(
                    "no overlap", (0.5, y), xycoords=("axes fraction", "data"), fontsize=5.5,
                    color=GREY, ha="center", va="center",
                )  # fmt: skip
                continue
            style = styles[codec]
            ax.plot(row["percent"], y, **{**style, "linestyle": "none"})
            if np.isfinite(row["low"]):
                ax.plot([row["low"], row["high"]], [y, y], color=style["color"], linewidth=1.0)
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.set_title(metric_name(metric))
        ax.set_xlabel("BD-rate (%)")
    axes[0].set_yticks(range(len(codecs)), [codec_label(name) for name in codecs])
    axes[0].set_ylim(len(codecs) - 0.5, -0.5)
    figure.suptitle(f"against {codec_label(reference)}; lines: 95 % over images", fontsize=7)
    return figure
