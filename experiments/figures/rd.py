"""Figures of a rate-distortion run: quality over rate, and BD-rates with their intervals."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from experiments.execution.side_files import read_json, read_table
from experiments.figures.chart import Chart
from experiments.figures.panel import Axis, Curve, Panel, from_missing_db, look, missing_db
from experiments.figures.style import GREY, Style, remove_others, save_figure, styles
from experiments.rd.anchors import Anchors, counterparts, load_anchors
from experiments.rd.tables import metric_columns
from experiments.sweep.labels import metric_label, metric_name, system_label
from scmc_comm.errors import ScmcError
from scmc_comm.types import FINEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COMMAND = "scmc-comm rd"
_RATE = Axis("rate (bpp, every byte counted)", "bpp", "log")
_PUBLISHED = Style(GREY, "", ":")
_MS_SSIM_TICKS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
_LAYERS = {"semantic": "caption", f"structure {FINEST}": "+ structure"}


def plot_rd(folder: Path, anchors: Anchors | None = None) -> list[Path]:
    """Draws all figures of a rate-distortion run into ``DIR/figures``.

    Args:
        folder: Output folder of `experiments.rd.run.run_rd`.
        anchors: Published curves to draw as thin lines, of the codecs' counterparts; None takes
            those of the run, if their file is still there.

    Returns:
        The files written, PDF and PNG.

    Raises:
        ScmcError: The folder holds no results, or they are damaged.
    """
    spec = read_json(folder / "run.json", _COMMAND, mappings=("spec",))["spec"]
    if anchors is None and (path := str(spec.get("anchors") or "")) and Path(path).is_file():
        anchors = load_anchors(Path(path))
    points = read_points(folder / "points.csv", "image")
    curves = read_points(folder / "curves.csv", "point")
    bd = read_table(
        folder / "bd.csv", _COMMAND, ("metric", "reference", "codec"), ("percent", "low", "high")
    )
    images, paths = points["image"].nunique(), []
    note = f"means over {images} image{'s' if images > 1 else ''}"
    for chart in rd_charts(curves, bd, anchors, note):
        paths += save_figure(chart.draw(), folder / "figures", chart.stem)
    remove_others(folder / "figures", paths)
    return paths


def read_points(path: Path, column: str) -> pd.DataFrame:
    """A table of a run with a codec, the named column, a rate and metrics in each row.

    Raises:
        ScmcError: It is damaged, also where a metric holds what is no number, or holds no metric.
    """
    metrics = metric_columns(read_table(path, _COMMAND, ("codec", column), ("bpp",)))
    if not metrics:
        raise ScmcError(f"{path} holds no metric; run '{_COMMAND}' again")
    return read_table(path, _COMMAND, ("codec", column), ("bpp", *metrics))


def rd_charts(
    curves: pd.DataFrame, bd: pd.DataFrame, anchors: Anchors | None, note: str
) -> list[Chart]:
    """All metrics together, each alone, and the BD-rates against each reference.

    Args:
        curves: Means by codec and point, `experiments.rd.tables.curve_table`.
        bd: `experiments.rd.tables.bd_table`.
        anchors: Published curves, or None.
        note: What was measured, in small print.
    """
    metrics = metric_columns(curves)
    panels = {metric: _panel(curves, metric, anchors) for metric in metrics}
    keys = [(f"published ({anchors.dataset.partition(',')[0]})", _PUBLISHED)] if anchors else []
    width = min(2, len(metrics))
    both = [*panels.values(), *[Panel(Axis(), Axis())] * (-len(metrics) % width)]
    rows = [both[start : start + width] for start in range(0, len(metrics), width)]
    heights = (1.0,) * len(rows)
    charts = [Chart("rd", "quality over rate", rows, heights, keys, note, shared="")]
    for metric, panel in panels.items():
        charts.append(Chart(f"rd_{metric}", metric_label(metric), [[panel]], keys=keys, note=note))
    for reference in map(str, bd["reference"].unique()):
        part = bd[bd["reference"] == reference]
        if part["percent"].notna().any():
            charts.append(_bd_chart(part, reference))
    return charts


def _panel(curves: pd.DataFrame, metric: str, anchors: Anchors | None) -> Panel:
    look = styles(list(map(str, curves["codec"].unique())))
    drawn = []
    for name, style in look.items():
        part = curves[(curves["codec"] == name) & curves[metric].notna()]
        notes = {n: _LAYERS[p] for n, p in enumerate(part["point"]) if p in _LAYERS}
        rate = f"bpp_{metric}" if f"bpp_{metric}" in part else "bpp"  # of images that have it
        bpp, quality = (part[key].to_numpy(float) for key in (rate, metric))
        label, column = system_label(name), f"{name}_{metric}"
        drawn.append(Curve(bpp, quality, None, None, style, label, column=column, notes=notes))
    if anchors is not None:
        drawn = [*_published(look, metric, anchors, curves["bpp"]), *drawn]
    return Panel(_RATE, _quality_axis(metric, curves[metric]), drawn)


def _quality_axis(metric: str, values: pd.Series) -> Axis:
    """MS-SSIM by the logarithm of what is missing to 1, as it all crowds there otherwise."""
    if metric != "ms_ssim":
        return Axis(metric_label(metric), metric)
    ends = missing_db([values.min(), values.max()])
    low, high = from_missing_db(ends + np.array([-1.0, 1.0]))  # a margin of 1 dB
    ticks = {tick: f"{tick:g}" for tick in _MS_SSIM_TICKS if low <= tick <= high}
    return Axis(metric_label(metric), metric, "one_minus", ticks, (float(low), float(high)))


def _published(
    look: dict[str, Style], metric: str, anchors: Anchors, bpp: pd.Series
) -> list[Curve]:
    """The published curves of the codecs' counterparts, near the rates that were measured."""
    drawn: dict[str, Curve] = {}
    for name, style in look.items():
        for published in counterparts(name, anchors):
            curve = anchors.curves[published]
            if metric in curve and published not in drawn:
                near = (curve["bpp"] > bpp.min() / 2) & (curve["bpp"] < bpp.max() * 1.5)
                drawn[published] = Curve(
                    curve["bpp"][near], curve[metric][near], None, None,
                    Style(style.colour, "", ":"), column=published, weight=0.5,
                )  # fmt: skip
    return list(drawn.values())


def _bd_chart(bd: pd.DataFrame, reference: str) -> Chart:
    metrics = [m for m in bd["metric"].unique() if bd[bd["metric"] == m]["percent"].notna().any()]
    codecs = list(map(str, bd["codec"].unique()))
    ticks = {float(n): system_label(name) for n, name in enumerate(codecs)}
    y = Axis(ticks=ticks, limits=(-0.5, len(codecs) - 0.5), inverted=True)
    row = [
        Panel(
            Axis("BD-rate (%)"), y, title=metric_name(metric),
            extra=partial(_bd_rates, bd[bd["metric"] == metric].set_index("codec"), codecs),
        )
        for metric in metrics
    ]  # fmt: skip
    note = f"against {system_label(reference)}; lines: 95 % over images"
    heights = ((0.3 + 0.26 * len(codecs)) / 2.5,)
    return Chart(f"bd_{reference}", f"BD-rate {note}", [row], heights, note=note, shared="y")


def _bd_rates(part: pd.DataFrame, codecs: list[str], ax: Axes) -> None:
    """A point and its interval for each codec, a row each."""
    for y, (codec, style) in enumerate(styles(codecs).items()):
        row = part.loc[codec] if codec in part.index else None
        if row is None or not np.isfinite(row["percent"]):
            ax.annotate(
                "no overlap", (0.5, y), xycoords=("axes fraction", "data"), fontsize=5.5,
                color=GREY, ha="center", va="center",
            )  # fmt: skip
            continue
        ax.plot([row["low"], row["high"]], [y, y], color=style.colour, linewidth=1.0)
        ax.plot(row["percent"], y, **{**look(style), "linestyle": "none"})
    ax.axvline(0, color=GREY, linewidth=0.8)
