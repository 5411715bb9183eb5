"""The charts of one view of a sweep: quality, paired differences, delivery, loss, planes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from experiments.figures.chart import Chart
from experiments.figures.panel import Axis, Curve, Panel
from experiments.figures.style import BOUND_LINES, Style, codec_of
from experiments.figures.units import (
    all_units,
    by_lines,
    line_keys,
    sends_units,
    shown_curves,
    unit_curves,
)
from experiments.figures.views import View, defined_note, legend_label, shown_metrics
from experiments.sweep.bounds import KINDS, bound_lines
from experiments.sweep.labels import (
    channel_label,
    metric_label,
    metric_name,
    system_label,
)

DISTORTION, PERCEPTION = ("psnr_db", "ms_ssim"), ("lpips", "dists")
SHARE = Axis("delivery probability", ticks={0: "0", 0.5: "0.5", 1: "1"}, limits=(-0.04, 1.04))


def banded(x: np.ndarray, part: xr.Dataset, names: str, style: Style, **more: Any) -> Curve:
    """A curve of three variables of a summary; ``names`` is theirs, {} standing for the end."""
    mean, low, high = (part[names.format(end)].values for end in ("mean", "low", "high"))
    return Curve(x, mean, low, high, style, **more)


def _row(view: View, y: Axis, curves_of: Callable[[str], list[Curve]]) -> list[Panel]:
    """A panel for each channel."""
    marks = dict.fromkeys(view.marks, "")
    return [Panel(view.axis, y, curves_of(channel), marks=marks) for channel in view.channels]


def _titled(view: View, rows: list[list[Panel]]) -> list[list[Panel]]:
    """The rows, the first of which names the channels and what the dashed lines mark."""
    first = [
        replace(panel, title=channel_label(channel), marks=view.marks)
        for panel, channel in zip(rows[0], view.channels, strict=True)
    ]
    return [first, *rows[1:]]


def quality_curves(
    view: View, channel: str, metric: str, systems: Sequence[str], kind: str = "value"
) -> list[Curve]:
    """A metric of some systems over a channel: its ``value``, or its paired ``difference``."""
    return [
        banded(
            view.ds[view.x].values, view.found.sel(metric=metric, channel=channel, system=system),
            f"{kind}_{{}}", view.style[system], label=legend_label(view, system),
            column=f"{system}_mean",
        )
        for system in systems
    ]  # fmt: skip


def bound_curves(view: View, channel: str, metric: str, systems: Sequence[str]) -> list[Curve]:
    """The bounds that the store holds, of the codecs that some systems use or none of all does."""
    return [
        Curve(
            view.ds[view.x].values, line.quality.sel({view.other: view.fixed}).values, None, None,
            Style(view.style[line.codec].colour, "", BOUND_LINES[line.kind]),
            f"{system_label(line.codec)} + {KINDS[line.kind]}", column=f"{line.codec}_{line.kind}",
            weight=0.65,
        )
        for line in bound_lines(view.ds, channel, metric)
        if codec_of(line.codec) in {*map(codec_of, systems)}
        or codec_of(line.codec) not in {*map(codec_of, view.systems)}
    ]  # fmt: skip


def _over(view: View) -> str:
    return f"against {'SNR' if view.x == 'esno_db' else 'bandwidth'} at {view.held}"


def quality_charts(view: View, note: str = "", delivery: bool = True) -> list[Chart]:
    """Each metric with its bounds, the delivery probability below it.

    Many systems are in groups below one another, the first in each of them; below a group is
    then the probability that a receiver has something to show.

    Args:
        view: What to draw.
        note: Small print.
        delivery: False leaves the delivery probability out.
    """
    many, delivery = len(view.groups) > 1, delivery and sends_units(view)
    share = replace(SHARE, label="probability that anything is shown") if many else SHARE
    curves_below = shown_curves if many else unit_curves
    keys = line_keys(all_units(view), "delivery: ") if delivery and not many else []
    made = []
    for metric in shown_metrics(view.found):
        rows, heights, label = [], [], metric_label(metric)
        for own in view.groups:
            rows.append(_row(view, Axis(label), partial(_with_bounds, view, metric, own)))
            heights.append(1.0)
            if delivery:
                rows.append(_row(view, share, partial(curves_below, view, systems=own)))
                heights.append(0.45)
        title, stem = f"{label} {_over(view)}", f"{metric}_{view.stem}"
        said = note + defined_note(view.found, metric, view.ds.sizes["image"])
        made.append(Chart(stem, title, _titled(view, rows), heights, keys, said))
    return made


def _with_bounds(view: View, metric: str, systems: Sequence[str], channel: str) -> list[Curve]:
    bounds = bound_curves(view, channel, metric, systems)
    return [*bounds, *quality_curves(view, channel, metric, systems)]


def difference_charts(view: View, note: str = "") -> list[Chart]:
    """Each metric minus that of the first system, pairwise; none for one system alone."""
    if len(view.systems) == 1:
        return []
    made = []
    for metric in shown_metrics(view.found):
        label = f"{metric_name(metric)} above {system_label(view.systems[0])}"
        rows = [
            _row(view, Axis(label), partial(
                quality_curves, view, metric=metric, systems=own, kind="difference"
            ))
            for own in view.groups
        ]  # fmt: skip
        stem, heights = f"{metric}_difference_{view.stem}", (1.0,) * len(rows)
        said = note + defined_note(view.found, metric, view.ds.sizes["image"])
        made.append(Chart(stem, label, _titled(view, rows), heights, note=said))
    return made


def loss_charts(view: View, note: str = "") -> list[Chart]:
    """The probability that each unit is lost; none where no unit is sent, or none can be lost."""
    lost = 1 - np.concatenate([view.arrivals[end].values.ravel() for end in ("probability", "low")])
    if not (lost > 0).any():  # of exact expectations; else an upper limit is always above 0
        return []
    lowest = float(lost[lost > 0].min())
    y = Axis("probability of loss", scale="log", limits=(max(lowest / 2.5, 1e-6), 1.3))
    rows = [
        _row(view, y, partial(unit_curves, view, systems=own, lost=True)) for own in by_lines(view)
    ]
    title, heights = f"Probability of loss {_over(view)}", (1.0,) * len(rows)
    made = Chart(
        f"loss_{view.stem}", title, _titled(view, rows), heights, line_keys(all_units(view)), note
    )
    return [made]


def plane_charts(view: View, note: str = "") -> list[Chart]:
    """Where each system lies at each SNR on the plane of a distortion and a perceptual metric.

    The perceptual axis is turned round, so that better is up and to the right on both.

    Args:
        view: What to draw; empty unless it runs over two SNRs.
        note: What is held fixed.
    """
    if view.x != "esno_db" or view.ds.sizes["esno_db"] < 2:
        return []
    measured = shown_metrics(view.found)
    low, high = float(view.ds.esno_db.min()), float(view.ds.esno_db.max())
    note = (
        f"{note}; means over images, failures included; Es/N0 from {low:g} dB to {high:g} dB, "
        "the large marker; better is up and to the right"
    )
    made = []
    for x, y in itertools.product(DISTORTION, PERCEPTION):
        if not {x, y} <= set(measured):
            continue
        axes = Axis(metric_label(x)), Axis(metric_label(y), inverted=True)
        row = []
        for channel in view.channels:
            curves = []
            for system in view.systems:
                mean = view.found.value_mean.sel(channel=channel, system=system)
                points = mean.sel(metric=x).values, mean.sel(metric=y).values, None, None
                curve = Curve(*points, view.style[system], legend_label(view, system))
                last = replace(curve, x=curve.x[-1:], mean=curve.mean[-1:], weight=1.8)
                curves += [curve, last]
            row.append(Panel(*axes, curves, channel_label(channel)))
        title = f"{metric_name(y)} against {metric_name(x)} at {view.held}"
        made.append(Chart(f"{x}_{y}_plane_{view.stem}", title, [row], (1.25,), note=note))
    return made
