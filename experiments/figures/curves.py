"""The charts of one view of a sweep: quality, paired differences, delivery, loss, planes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from experiments.figures.chart import Chart
from experiments.figures.panel import Axis, Curve, Panel
from experiments.figures.style import BOUND_LINES, GREY, LAYER_LINES, Style
from experiments.figures.views import View, defined_note, shown_metrics
from experiments.sweep import store
from experiments.sweep.bounds import KINDS, bound_lines
from experiments.sweep.labels import (
    channel_label,
    metric_label,
    metric_name,
    system_label,
    unit_label,
)

DISTORTION, PERCEPTION = ("psnr_db", "ms_ssim"), ("lpips", "dists")
SHARE = Axis("delivery probability", ticks={0: "0", 0.5: "0.5", 1: "1"}, limits=(-0.04, 1.04))


def banded(x: np.ndarray, part: xr.Dataset, names: str, style: Style, **more: Any) -> Curve:
    """A curve of three variables of a summary; ``names`` is theirs, {} standing for the end."""
    mean, low, high = (part[names.format(end)].values for end in ("mean", "low", "high"))
    return Curve(x, mean, low, high, style, **more)


def _label(view: View, system: str) -> str:
    """Legend entry; says so where the budget was too small for some images."""
    label = system_label(system)
    if view.x != "esno_db":
        return label
    nothing = store.infeasible(view.ds).sel(system=system, rho=view.fixed)
    failed = int(nothing.all(("channel", "esno_db")).sum())
    images = view.ds.sizes["image"]
    return f"{label} (infeasible: {failed} of {images} images)" if failed else label


def _row(view: View, y: Axis, curves: Sequence[list[Curve]], titled: bool = True) -> list[Panel]:
    titles = [channel_label(channel) if titled else "" for channel in view.channels]
    marks = {x: word if titled else "" for x, word in view.marks.items()}
    return [
        Panel(view.axis, y, own, title, marks) for own, title in zip(curves, titles, strict=True)
    ]


def quality_curves(view: View, channel: str, metric: str, kind: str = "value") -> list[Curve]:
    """A metric of each system over a channel: its ``value``, or its paired ``difference``."""
    return [
        banded(
            view.ds[view.x].values, view.found.sel(metric=metric, channel=channel, system=system),
            f"{kind}_{{}}", view.style[system], label=_label(view, system),
            column=f"{system}_mean",
        )
        for system in view.systems
    ]  # fmt: skip


def bound_curves(view: View, channel: str, metric: str) -> list[Curve]:
    """The bounds that the store holds."""
    return [
        Curve(
            view.ds[view.x].values, line.quality.sel({view.other: view.fixed}).values, None, None,
            Style(view.style[line.codec].colour, "", BOUND_LINES[line.kind]),
            f"{system_label(line.codec)} + {KINDS[line.kind]}", column=f"{line.codec}_{line.kind}",
            weight=0.65,
        )
        for line in bound_lines(view.ds, channel, metric)
    ]  # fmt: skip


def unit_curves(view: View, channel: str, lost: bool = False) -> list[Curve]:
    """Delivery of each unit that a system needs before others, or the probability of its loss.

    Where no loss was seen only its upper limit is known.
    """
    made = []
    for system, unit in itertools.product(view.systems, _units(view)):
        part = view.arrivals.sel(unit=unit, channel=channel, system=system)
        if part.probability.isnull().all():
            continue
        style = replace(view.style[system], line=LAYER_LINES.get(unit, "-"))
        mean, low, high = (part[end].values for end in ("probability", "low", "high"))
        column = f"{system}_{unit}"
        if lost:
            mean, low, high = 1 - mean, 1 - high, 1 - low
            mean, column = np.where(mean > 0, mean, np.nan), f"{column}_loss"
        x, label = view.ds[view.x].values, _label(view, system)
        made.append(Curve(x, mean, low, high, style, label, unit_label(unit), column))
    return made


def _units(view: View) -> list[str]:
    """What stands for a layer: of a layer in parts the first, which all others need."""
    return [str(unit) for unit in view.arrivals.unit.values if "." not in str(unit)]


def layer_keys(units: Sequence[str], of: str = "") -> list[tuple[str, Style]]:
    """Legend entries of the lines that layers have; ``of`` says which curves they are."""
    files = any(unit not in LAYER_LINES for unit in units)
    return [
        (of + unit_label(unit) + " or file" * (files and unit == "signal"), Style(GREY, "", line))
        for unit, line in LAYER_LINES.items()
        if unit in units
    ]


def _over(view: View) -> str:
    return f"against {'SNR' if view.x == 'esno_db' else 'bandwidth'} at {view.held}"


def quality_charts(view: View, note: str = "") -> list[Chart]:
    """Each metric with its bounds, and the delivery probability below it."""
    keys, below = layer_keys(_units(view), "delivery: "), []
    if _units(view):
        curves = [unit_curves(view, channel) for channel in view.channels]
        below = [_row(view, SHARE, curves, titled=False)]
    made = []
    for metric in shown_metrics(view.found):
        curves = [
            [*bound_curves(view, channel, metric), *quality_curves(view, channel, metric)]
            for channel in view.channels
        ]
        label = metric_label(metric)
        rows, heights = [_row(view, Axis(label), curves), *below], (1.0, 0.45)[: 1 + len(below)]
        title = f"{label} {_over(view)}"
        own = note + defined_note(view.found, metric, view.ds.sizes["image"])
        made.append(Chart(f"{metric}_{view.stem}", title, rows, heights, keys, own))
    return made


def difference_charts(view: View, note: str = "") -> list[Chart]:
    """Each metric minus that of the first system, pairwise; none for one system alone."""
    if len(view.systems) == 1:
        return []
    made = []
    for metric in shown_metrics(view.found):
        label = f"{metric_name(metric)} above {system_label(view.systems[0])}"
        curves = [quality_curves(view, channel, metric, "difference") for channel in view.channels]
        rows = [_row(view, Axis(label), curves)]
        own = note + defined_note(view.found, metric, view.ds.sizes["image"])
        made.append(Chart(f"{metric}_difference_{view.stem}", label, rows, note=own))
    return made


def loss_charts(view: View, note: str = "") -> list[Chart]:
    """The probability that each unit is lost; none where no unit is sent, or none can be lost."""
    lost = 1 - np.concatenate([view.arrivals[end].values.ravel() for end in ("probability", "low")])
    if not (lost > 0).any():  # of exact expectations; else an upper limit is always above 0
        return []
    lowest = float(lost[lost > 0].min())
    y = Axis("probability of loss", scale="log", limits=(max(lowest / 2.5, 1e-6), 1.3))
    rows = [_row(view, y, [unit_curves(view, channel, lost=True) for channel in view.channels])]
    title, keys = f"Probability of loss {_over(view)}", layer_keys(_units(view))
    return [Chart(f"loss_{view.stem}", title, rows, keys=keys, note=note)]


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
        f"{note}; means over images, failures included; $E_s/N_0$ from {low:g} dB to {high:g} dB, "
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
                curve = Curve(*points, view.style[system], _label(view, system))
                last = replace(curve, x=curve.x[-1:], mean=curve.mean[-1:], weight=1.8)
                curves += [curve, last]
            row.append(Panel(*axes, curves, channel_label(channel)))
        title = f"{metric_name(y)} against {metric_name(x)} at {view.held}"
        made.append(Chart(f"{x}_{y}_plane_{view.stem}", title, [row], (1.25,), note=note))
    return made
