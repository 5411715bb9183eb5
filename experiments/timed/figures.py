"""Figures of a timed experiment, drawn from its result store and nothing else."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from experiments.execution.cache import write_atomic
from experiments.figures.style import COLOURS, GREY, MARKERS, paper_style, save_figure
from experiments.sweep.labels import metric_label
from experiments.timed import results
from experiments.timed.schemes import Scheme
from scmc_comm.types import LayerKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXIS_LABELS = {
    "load": "offered load (1: the link is just full)",
    "num_users": "users",
    "deadline_s": "deadline of every unit (s)",
    "esno_db": "mean $E_s/N_0$ over the users (dB)",
}
CAPTION_GOAL, COLLAPSE = 0.99, 0.6
_LINES: dict[str, Any] = {"semantic": ":", "structure": "--", "signal": "-"}
_PANEL = 2.6  # inches


def scheme_label(text: str, others: Sequence[str] = ()) -> str:
    """Legend entry: the system, and what tells it from the other schemes.

    >>> scheme_label("scmc:priorities=equal", ["scmc"])
    'SCMC, equal priority'
    >>> scheme_label("scmc:harq=none", ["scmc:harq=chase"])
    'SCMC, no retransmissions'
    """
    own, rest = Scheme.parse(text), [Scheme.parse(other) for other in others]
    words = [own.system.upper() if len(own.system) <= 4 else own.system]
    named = {
        "priorities": {"layers": "layers first", "equal": "equal priority"}[own.priorities],
        "scheduling": own.scheduling.replace("_", " ").replace("layer aware", "layer-aware"),
        "harq": {"none": "no retransmissions", "chase": "chase combining"}.get(
            own.harq, "incremental redundancy"
        ),
    }
    peers = [other for other in rest if other.system == own.system]
    for key, word in named.items():
        if any(getattr(own, key) != getattr(other, key) for other in peers):
            words.append(word)
    return ", ".join(words)


def _labels(ds: xr.Dataset) -> dict[str, str]:
    names = [str(name) for name in ds.scheme.values]
    return {name: scheme_label(name, names) for name in names}


def _curve(
    ax: Axes, ds: xr.Dataset, values: xr.DataArray, place: int, top: float = math.inf,
    **more: object,
) -> None:  # fmt: skip
    """A mean and its band; cut off at 0 and ``top``, since Student's interval knows no limits."""
    found = results.over_runs(values.transpose("value", "replication"))
    x, colour = ds.value.values, COLOURS[place % len(COLOURS)]
    style = {"color": colour, "marker": MARKERS[place % len(MARKERS)], **more}
    ax.plot(x, found.mean, markeredgecolor="white", markeredgewidth=0.4, **style)  # type: ignore[arg-type]
    low, high = np.clip([found.low, found.high], 0, top)
    ax.fill_between(x, low, high, color=style["color"], alpha=0.13, linewidth=0)


def _note(ds: xr.Dataset, more: str = "") -> str:
    runs = ds.sizes["replication"]
    return f"{more}bands: 95 %, Student's t over {runs} independent runs; common fades and arrivals"


def _finish(figure: Figure, handles: list[object], note: str, columns: int) -> Figure:
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)  # type: ignore[arg-type]
    text = textwrap.fill(note, int(20 * figure.get_size_inches()[0]))
    below = figure.legend(handles=[], title=text, title_fontsize=6.5, loc="outside lower center",
                          frameon=False)  # fmt: skip
    below.get_title().set_multialignment("center")
    return figure


def _scheme_handles(ds: xr.Dataset) -> list[object]:
    from matplotlib.lines import Line2D

    return [
        Line2D(
            [], [], color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], label=text
        )
        for i, text in enumerate(_labels(ds).values())
    ]


def panels(
    ds: xr.Dataset, wanted: Sequence[tuple[str, Callable[[str], xr.DataArray | None]]], note: str
) -> Figure:
    """A panel for each entry of (axis label, values of a scheme), a curve for each scheme."""
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(max(1.35 * _PANEL * len(wanted), 4.6), 3.4), layout="constrained")
    axes = figure.subplots(1, len(wanted), squeeze=False)[0]
    for ax, (label, of) in zip(axes, wanted, strict=True):
        for place, scheme in enumerate(map(str, ds.scheme.values)):
            values = of(scheme)
            if values is not None:
                _curve(ax, ds, values, place)
        ax.set_xlabel(AXIS_LABELS[ds.attrs["axis"]])
        ax.set_ylabel(label)
    handles = _scheme_handles(ds)
    return _finish(figure, handles, note, 2 if len(handles) > 2 else len(handles))


def quality_figure(ds: xr.Dataset) -> Figure:
    """Mean quality of all pictures offered, a panel a metric."""
    wanted = [
        (metric_label(name), lambda scheme, name=name: ds[name].sel(scheme=scheme))
        for name in results.metric_names(ds)
    ]
    return panels(ds, wanted, _note(ds, "a picture of which nothing came in time is mid-grey; "))


def last_unit(ds: xr.Dataset, scheme: str) -> str:
    """The least urgent unit that a scheme sends."""
    sent = (ds.offered.sel(scheme=scheme).fillna(0).sum(("value", "replication")) > 0).values
    return str(ds.unit.values[sent][-1])


def first_unit(ds: xr.Dataset, scheme: str) -> str:
    """The most urgent one: the caption of a layered system, the file of another."""
    sent = (ds.offered.sel(scheme=scheme).fillna(0).sum(("value", "replication")) > 0).values
    return str(ds.unit.values[sent][0])


def latency_figure(ds: xr.Dataset) -> Figure:
    """Latency of what comes first and last of a picture, and the age of information."""

    def of(name: str, unit: Callable[[xr.Dataset, str], str]) -> Callable[[str], xr.DataArray]:
        return lambda scheme: ds[name].sel(scheme=scheme, unit=unit(ds, scheme))

    wanted = [
        ("latency of the caption or file,\n95th percentile (s)", of("p95_s", first_unit)),
        ("latency of the last unit,\n95th percentile (s)", of("p95_s", last_unit)),
        ("mean age of the caption or file (s)", of("age_s", first_unit)),
    ]
    return panels(ds, wanted, _note(ds, "latency of units that met their deadline; "))


def energy_figure(ds: xr.Dataset) -> Figure:
    """Energy a picture and how busy the link is."""
    wanted = [
        ("energy (J / picture) at 1 W",
         lambda scheme: ds.energy_per_picture_j.sel(scheme=scheme)),
        ("share of time in use", lambda scheme: ds.utilisation.sel(scheme=scheme)),
    ]  # fmt: skip
    return panels(ds, wanted, _note(ds))


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


def delivery_figure(ds: xr.Dataset) -> Figure:
    """Share of each kind of unit delivered within its deadline, a panel a scheme."""
    from matplotlib.figure import Figure as NewFigure
    from matplotlib.lines import Line2D

    schemes, share = [str(name) for name in ds.scheme.values], results.delivery(ds)
    figure = NewFigure(figsize=(max(_PANEL * len(schemes), 4.6), 3.1), layout="constrained")
    axes = figure.subplots(1, len(schemes), squeeze=False, sharey=True)[0]
    units = [str(unit) for unit in ds.unit.values if "." not in str(unit)]
    turn, labels = turning_points(ds), _labels(ds)
    for place, (ax, scheme) in enumerate(zip(axes, schemes, strict=True)):
        _curve(ax, ds, ds.all_delivered.sel(scheme=scheme), place, top=1.0, color=GREY, marker="",
               linewidth=2.2, alpha=0.7)  # fmt: skip
        for unit in units:
            values = share.sel(scheme=scheme, unit=unit)
            if not values.isnull().all():
                line = _LINES.get(unit, "-")
                _curve(ax, ds, values, place, top=1.0, linestyle=line, markersize=3.4)
        if turn is not None:
            ax.axvline(turn[1], color=GREY, linestyle=(0, (4, 3)), linewidth=0.9, zorder=0)
        ax.set_title(textwrap.fill(labels[scheme], 26))
        ax.set_xlabel(textwrap.fill(AXIS_LABELS[ds.attrs["axis"]], 26))
        ax.set_ylim(-0.03, 1.03)
    axes[0].set_ylabel("delivered within the deadline")
    handles: list[object] = [
        Line2D([], [], color="black", linestyle=_LINES.get(unit, "-"), label=_unit_label(unit))
        for unit in units if unit in _LINES
    ]  # fmt: skip
    handles.append(Line2D([], [], color=GREY, linewidth=2.2, alpha=0.7, label="all units"))
    more = "" if turn is None else (
        f"captions of the first scheme: {CAPTION_GOAL:.0%} or more up to {turn[0]:g}; all units "
        f"at equal priority: below {COLLAPSE:.0%} from {turn[1]:g} on (dashed); "
    )  # fmt: skip
    return _finish(figure, handles, _note(ds, more), len(handles))


def _unit_label(unit: str) -> str:
    return "signal layer, first part" if unit == "signal" else f"{unit} layer"


def plot_timed(folder: str | Path) -> list[Path]:
    """Draws all figures of a timed experiment into ``DIR/figures``.

    Returns:
        The files written: PDF and PNG figures, and the means drawn as ``summary.csv``.
    """
    target = Path(folder) / "figures"
    with results.reading(Path(folder) / "results.nc") as ds, paper_style():
        drawn = {
            "quality": quality_figure,
            "delivery": delivery_figure,
            "latency": latency_figure,
            "energy": energy_figure,
        }
        paths = [target / "summary.csv"]
        write_atomic(paths[0], _summary(ds).encode())
        for stem, draw in drawn.items():
            paths += save_figure(draw(ds), target, stem)
    return paths


def _summary(ds: xr.Dataset) -> str:
    names = [str(name) for name, v in ds.data_vars.items() if v.dims == results.RUN]
    columns = {name: ds[name] for name in names}
    share = results.delivery(ds)
    columns |= {f"delivered_{u}": share.sel(unit=u, drop=True) for u in map(str, ds.unit.values)}
    parts = {}
    for name, values in columns.items():
        found = results.over_runs(values)
        ends = (0, 1) if "delivered" in name or name == "utilisation" else (-math.inf, math.inf)
        for end in ("mean", "low", "high"):
            key = name if end == "mean" else f"{name}_{end}"
            parts[key] = (("scheme", "value"), np.clip(getattr(found, end), *ends))
    table = xr.Dataset(parts, {"scheme": ds.scheme, "value": ds.value})
    frame = table.to_dataframe().reset_index().rename(columns={"value": ds.attrs["axis"]})
    return str(frame.to_csv(index=False))
