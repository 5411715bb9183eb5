"""Figures of a timed experiment, drawn from its result store and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import xarray as xr

from experiments.execution.cache import write_atomic
from experiments.execution.output import check_folder
from experiments.figures.chart import Chart
from experiments.figures.panel import Axis, Curve, Panel
from experiments.figures.style import Style, remove_others, save_figure, styles
from experiments.figures.units import line_keys, unit_line, whole_units
from experiments.sweep.labels import metric_label, system_label
from experiments.sweep.store import metric_names
from experiments.timed import results
from experiments.timed.schemes import Scheme
from experiments.timed.spec import TimedSpec
from scmc_comm.types import LayerKind

AXIS_LABELS = {
    "load": "offered load (1: the link is just full)",
    "num_users": "users",
    "deadline_s": "deadline of every unit (s)",
    "esno_db": "mean Es/N0 over the users (dB)",
}
CAPTION_GOAL, COLLAPSE = 0.99, 0.6
WIDE = 50.0
"""From so many times the least value on, an axis that starts above 0 is logarithmic."""


def scheme_label(text: str, others: Sequence[str] = ()) -> str:
    """Legend entry: the system, and what tells it from the other schemes of that system.

    >>> scheme_label("scmc:priorities=equal", ["scmc"])
    'SCMC, equal priority'
    >>> scheme_label("scmc:harq=none", ["scmc:harq=chase"])
    'SCMC, no retransmissions'
    """
    own = Scheme.parse(text)
    peers = [other for other in map(Scheme.parse, others) if other.system == own.system]
    differing = [
        f"{field.name}={getattr(own, field.name)}" for field in fields(Scheme)
        if getattr(own, field.name) is not None
        and any(getattr(peer, field.name) != getattr(own, field.name) for peer in peers)
    ]  # fmt: skip
    mark = "," if ":" in own.system else ":"
    return system_label(own.system + mark + ",".join(differing))


def _labels(ds: xr.Dataset) -> dict[str, str]:
    names = [str(name) for name in ds.scheme.values]
    return {name: scheme_label(name, names) for name in names}


def _curve(
    ds: xr.Dataset, values: xr.DataArray, style: Style, label: str = "", top: float = math.inf
) -> Curve:
    """A mean and its band; cut off at 0 and ``top``, since Student's interval knows no limits."""
    found = results.over_runs(values.transpose("value", "replication"))
    low, high = np.clip([found.low, found.high], 0, top)
    return Curve(ds.value.values, found.mean, low, high, style, label)


def top_of(name: str) -> float:
    """The most that a variable of the store can be, which its band is cut off at.

    >>> top_of("ms_ssim"), top_of("delivered_signal"), top_of("psnr_db")
    (1.0, 1.0, inf)
    """
    share = name in ("utilisation", "ms_ssim", "ssim") or "delivered" in name
    return 1.0 if share else math.inf


def _note(ds: xr.Dataset, more: str = "") -> str:
    runs = ds.sizes["replication"]
    return f"{more}bands: 95 %, Student's t over {runs} independent runs; common fades and arrivals"


def _axis(ds: xr.Dataset) -> Axis:
    name, values = str(ds.attrs["axis"]), ds.value.values
    wide = name == "deadline_s" and values.max() > WIDE * values.min()
    return Axis(AXIS_LABELS[name], name, "log" if wide else "linear")


def _metric_label(ds: xr.Dataset, name: str) -> str:
    """Axis label; says of how many images where the metric is undefined for some."""
    total = ds.sizes["image"]
    count = int(ds[name].attrs.get("num_images", total))
    return metric_label(name) + ("" if count == total else f", {count} of {total} images")


def mean_charts(ds: xr.Dataset) -> list[Chart]:
    """Quality, latency and energy: a panel for each number, a curve for each scheme."""

    def of(name: str, place: int) -> xr.DataArray:
        """Of the most urgent unit that each scheme sends (0), or of the least (-1)."""
        sent = (ds.offered.fillna(0).sum(("value", "replication")) > 0).transpose("scheme", "unit")
        units = [ds.unit.values[row][place] for row in sent.values]
        return ds[name].sel(unit=xr.DataArray(units, {"scheme": ds.scheme}))

    return [
        _chart(
            ds, "quality", {_metric_label(ds, name): ds[name] for name in metric_names(ds)},
            "a picture of which nothing came in time is mid-grey; ",
        ),
        _chart(
            ds, "latency", {
                "latency of the caption or file,\n95th percentile (s)": of("p95_s", 0),
                "latency of the last unit,\n95th percentile (s)": of("p95_s", -1),
                "mean age of the caption or file (s)": of("age_s", 0),
            }, "latency of units that met their deadline; ",
        ),
        _chart(ds, "energy", {
            f"energy on air (J / picture) at {_spec(ds).transmit_w:g} W": ds.energy_per_picture_j,
            "share of time in use": ds.utilisation,
        }),
        *([_computing_chart(ds)] if "total_energy_j" in ds else []),
    ]  # fmt: skip


def _spec(ds: xr.Dataset) -> TimedSpec:
    return TimedSpec.from_yaml(ds.attrs["spec_yaml"])


def _computing_chart(ds: xr.Dataset) -> Chart:
    """What computing costs: energy of the devices, and of all; logarithmic."""
    spec = _spec(ds)
    devices = ds.encoder_energy_j + ds.decoder_energy_j
    powers = f"encoder {spec.encoder_w:g} W, decoder {spec.decoder_w:g} W"
    whole = f"{powers},\non air {spec.transmit_w:g} W: energy (J / picture)"
    wanted = {f"{powers}:\nenergy (J / picture)": devices.where(devices > 0)}
    chart = _chart(ds, "computing", {**wanted, whole: ds.total_energy_j}, "powers are assumed; ")
    panels = [replace(p, y=replace(p.y, scale="log")) for p in chart.rows[0]]
    return replace(chart, rows=[panels])


def _chart(ds: xr.Dataset, stem: str, wanted: dict[str, xr.DataArray], more: str = "") -> Chart:
    labels = _labels(ds)
    row = [
        Panel(_axis(ds), Axis(label), [
            _curve(ds, values.sel(scheme=name), style, labels[name], top_of(str(values.name)))
            for name, style in styles(list(labels)).items()
        ])
        for label, values in wanted.items()
    ]  # fmt: skip
    return Chart(stem, stem, [row], note=_note(ds, more), shared="")


def turning_points(ds: xr.Dataset) -> tuple[float, float] | None:
    """Where the caption of the first scheme still meets its goal, and where a rival collapses.

    Returns:
        The largest value of the axis up to which at least `CAPTION_GOAL` of the captions of the
        first scheme are delivered in time, and the smallest at which a scheme of the same system
        with equal priorities delivers less than `COLLAPSE` of all its units. None without such a
        scheme, or where one of the two never happens.
    """
    names = [str(name) for name in ds.scheme.values]
    first = Scheme.parse(names[0])
    equal = [
        name for name in names[1:]
        if (own := Scheme.parse(name)).system == first.system and own.priorities == "equal"
    ]  # fmt: skip
    if not equal or LayerKind.SEMANTIC.tag not in ds.unit.values:
        return None
    caption = results.delivery(ds).sel(scheme=names[0], unit=LayerKind.SEMANTIC.tag)
    kept = (caption.mean("replication") >= CAPTION_GOAL).values
    fell = (ds.all_delivered.sel(scheme=equal[0]).mean("replication") < COLLAPSE).values
    if not kept[0] or not fell.any():
        return None
    good = int(np.argmin(kept)) if not kept.all() else len(kept)
    return float(ds.value.values[good - 1]), float(ds.value.values[int(np.argmax(fell))])


def delivery_chart(ds: xr.Dataset) -> Chart:
    """Share of each kind of unit delivered within its deadline, a panel a scheme."""
    labels, share, turn = _labels(ds), results.delivery(ds), turning_points(ds)
    look = styles(list(labels))
    sent = {
        name: whole_units(
            ds.unit.values[share.sel(scheme=name).notnull().any(("value", "replication"))]
        )
        for name in labels
    }
    y, row = Axis("delivered within the deadline", limits=(-0.03, 1.03)), []
    for name, label in labels.items():
        whole = _curve(ds, ds.all_delivered.sel(scheme=name), Style("#AAAAAA"), "all units", 1.0)
        curves = [replace(whole, weight=1.8)]
        for unit in sent[name]:
            style = replace(look[name], line=unit_line(unit, sent[name]))
            curves.append(_curve(ds, share.sel(scheme=name, unit=unit), style, top=1.0))
        row.append(Panel(_axis(ds), y, curves, label, {} if turn is None else {turn[1]: ""}))
    more = "" if turn is None else (
        f"captions of the first scheme: {CAPTION_GOAL:.0%} or more up to {turn[0]:g}; all units "
        f"at equal priority: below {COLLAPSE:.0%} from {turn[1]:g} on (dashed); "
    )  # fmt: skip
    return Chart("delivery", "delivery", [row], keys=line_keys(sent.values()), note=_note(ds, more))


def plot_timed(folder: str | Path) -> list[Path]:
    """Draws all figures of a timed experiment into ``DIR/figures``.

    Returns:
        The files written: PDF and PNG figures, and the means drawn as ``summary.csv``.
    """
    with results.reading(Path(folder) / "results.nc") as ds:
        target = check_folder(Path(folder) / "figures")
        paths = [target / "summary.csv"]
        write_atomic(paths[0], _summary(ds).encode())
        for chart in (*mean_charts(ds), delivery_chart(ds)):
            paths += save_figure(chart.draw(), target, chart.stem)
    remove_others(target, paths)
    return paths


def _summary(ds: xr.Dataset) -> str:
    names = [str(name) for name, v in ds.data_vars.items() if v.dims == results.RUN]
    columns = {name: ds[name] for name in names}
    share = results.delivery(ds)
    columns |= {f"delivered_{u}": share.sel(unit=u, drop=True) for u in map(str, ds.unit.values)}
    parts = {}
    for name, values in columns.items():
        found = results.over_runs(values)
        ends = (0 if top_of(name) == 1 else -math.inf, top_of(name))
        for end in ("mean", "low", "high"):
            key = name if end == "mean" else f"{name}_{end}"
            parts[key] = (("scheme", "value"), np.clip(getattr(found, end), *ends))
    table = xr.Dataset(parts, {"scheme": ds.scheme, "value": ds.value})
    frame = table.to_dataframe().reset_index().rename(columns={"value": ds.attrs["axis"]})
    return str(frame.to_csv(index=False))
