"""Figures over a parameter of the link: speed, pilots, knowledge of the channel.

Where the entries of a sweep's channels differ in a number, that is the x axis, a column an Es/N0;
where they differ in words alone, Es/N0 is the x axis, a column a channel. What else differs tells
curves of one system apart by their line.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from experiments.figures.curves import COLUMN
from experiments.figures.style import GREY, styles
from experiments.sweep.labels import channel_label, metric_label, ratio_label, system_label
from experiments.sweep.links import Link

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
LABELS = {
    "speed_kmh": "speed (km/h)",
    "pilot_power_db": "power of a pilot over that of a data symbol (dB)",
    "pilot_spacing": "subcarriers from pilot to pilot",
    "num_pilot_symbols": "OFDM symbols of a slot with pilots",
    "csi_error_variance": "variance of the receiver's error in h",
    "delay_spread_s": "rms delay spread (s)",
    "coherence_symbols": "channel uses of a fade",
}
MAX_COLUMNS = 4
_WORDS = ("channel", "phy")
_KEPT = ("system", "unit")


@dataclass(frozen=True)
class Curve:
    """Entries that make one curve.

    Attributes:
        label: What tells it from the other curves of its system; empty for one alone.
        entries: The entries in order of x.
    """

    label: str
    entries: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """How a sweep's entries are drawn.

    Attributes:
        x: A parameter, or ``"esno_db"``.
        values: Of the parameter, for the entries of a curve; empty for Es/N0.
        columns: Title of each column and its curves.
    """

    x: str
    values: tuple[float, ...]
    columns: tuple[tuple[str, tuple[Curve, ...]], ...]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def differing(entries: Sequence[str], default_phy: str) -> dict[str, list[str]]:
    """The parameters in which the entries differ, each with its value in every entry."""
    found = [Link.parse(entry, default_phy).parameters for entry in entries]
    keys = list(dict.fromkeys(key for one in found for key in one))
    table = {key: [one.get(key, "") for one in found] for key in keys}
    return {key: values for key, values in table.items() if len(set(values)) > 1}


def plan(entries: Sequence[str], default_phy: str = "flat") -> Plan | None:
    """How to draw the entries over what they differ in; None if they do not lend themselves.

    >>> plan(["clarke:speed_kmh=3", "clarke:speed_kmh=30"]).x
    'speed_kmh'
    >>> [c.label for c in plan(["tdl@ofdm:csi=ls", "tdl@ofdm:csi=lmmse"]).columns[0][1]]
    ['csi=ls', 'csi=lmmse']
    >>> plan(["awgn", "rayleigh_block"]) is None
    True
    """
    keys = differing(entries, default_phy)
    numbers = [
        key for key, values in keys.items() if all(_number(value) is not None for value in values)
    ]
    if numbers:
        return _over_number(entries, keys, max(numbers, key=lambda key: len(set(keys[key]))))
    links = [Link.parse(entry, default_phy) for entry in entries]
    channels = list(dict.fromkeys(link.channel for link in links))
    if len(channels) == len(entries):
        return None
    columns = []
    for channel in channels:
        own = [n for n, link in enumerate(links) if link.channel == channel]
        rest = [key for key in keys if len({keys[key][n] for n in own}) > 1]
        curves = tuple(Curve(_label(keys, rest, n), (entries[n],)) for n in own)
        columns.append((channel, curves))
    return Plan("esno_db", (), tuple(columns))


def _over_number(entries: Sequence[str], keys: dict[str, list[str]], x: str) -> Plan | None:
    rest = [key for key in keys if key != x]
    groups: dict[tuple[str, ...], list[int]] = {}
    for n in range(len(entries)):
        groups.setdefault(tuple(keys[key][n] for key in rest), []).append(n)
    x_of = [float(value) for value in keys[x]]
    values = tuple(sorted(set(x_of)))
    curves = []
    for own in groups.values():
        own.sort(key=lambda n: x_of[n])
        if tuple(x_of[n] for n in own) != values:
            return None  # a curve with holes is better read from the table
        curves.append(Curve(_label(keys, rest, own[0]), tuple(entries[n] for n in own)))
    return Plan(x, values, (("", tuple(curves)),))


def _label(keys: dict[str, list[str]], rest: Sequence[str], n: int) -> str:
    words = [
        keys[key][n] if key in _WORDS else f"{key}={keys[key][n]}" for key in rest if keys[key][n]
    ]
    return ", ".join(words)


def _column_levels(ds: xr.Dataset) -> list[float]:
    """The Es/N0 that have a column: all if they are few, else evenly picked ones."""
    levels = ds.esno_db.values
    if len(levels) <= MAX_COLUMNS:
        return [float(level) for level in levels]
    picked = np.linspace(0, len(levels) - 1, MAX_COLUMNS).round().astype(int)
    return [float(levels[n]) for n in picked]


def figure(
    ds: xr.Dataset, found: xr.Dataset, arrivals: xr.Dataset, how: Plan, metric: str, rho: float,
    note: str,
) -> Figure:  # fmt: skip
    """Quality, and delivery of each layer, over what the entries differ in.

    Args:
        ds: The store.
        found: `experiments.sweep.summary.quality` of it.
        arrivals: `experiments.sweep.summary.delivery` of it.
        how: The plan.
        metric: What to draw.
        rho: At which bandwidth ratio.
        note: What the bands mean.
    """
    from matplotlib.figure import Figure as NewFigure

    found, arrivals = found.sel(rho=rho, metric=metric), arrivals.sel(rho=rho)
    columns: list[tuple[str, tuple[Curve, ...], float | None]]
    if how.x == "esno_db":
        columns = [(title, curves, None) for title, curves in how.columns]
    else:
        curves = how.columns[0][1]
        columns = [(f"$E_s/N_0$ = {e:g} dB", curves, e) for e in _column_levels(ds)]
    width = COLUMN * (1.0 if len(columns) < 3 else 0.8)
    drawn = NewFigure(figsize=(max(width * len(columns), 4.6), 5.0), layout="constrained")
    axes = drawn.subplots(
        2, len(columns), sharex=True, sharey="row", squeeze=False, height_ratios=(2.5, 1.25)
    )
    for c, (title, curves, esno_db) in enumerate(columns):
        for line, curve in enumerate(curves):
            _draw(axes[0, c], found, ("value_mean", "value_low", "value_high"), how, curve, line,
                  esno_db)  # fmt: skip
            _draw(axes[1, c], first_units(arrivals), ("probability", "low", "high"), how, curve,
                  line, esno_db)  # fmt: skip
        words = channel_label(title).replace(",", ", ")
        axes[0, c].set_title(textwrap.fill(words, 36, break_on_hyphens=False))
        _x_axis(axes[1, c], how)
    axes[0, 0].set_ylabel(metric_label(metric))
    axes[1, 0].set_ylabel("delivery of the\ncaption or file")
    axes[1, 0].set_ylim(-0.04, 1.04)
    drawn.align_ylabels(axes[:, 0])
    _legends(drawn, found, how, rf"$\rho$ = {ratio_label(rho)}; {note}")
    return drawn


def first_units(arrivals: xr.Dataset) -> xr.Dataset:
    """Delivery of what each system needs most: the first unit that it sends, layers before files.

    Args:
        arrivals: Over ``unit`` and ``system``, NaN where a system never sends a unit.
    """
    sent = arrivals.probability.notnull().any([d for d in arrivals.dims if d not in _KEPT])
    first = sent.transpose("system", "unit").argmax("unit")
    return arrivals.isel(unit=first)


def _draw(
    ax: Axes, part: xr.Dataset, names: Sequence[str], how: Plan, curve: Curve, line: int,
    esno_db: float | None,
) -> None:  # fmt: skip
    look = styles([str(name) for name in part.system.values])
    for system in map(str, part.system.values):
        own = part.sel(system=system)
        if esno_db is None:
            own, x = own.sel(channel=curve.entries[0]), part.esno_db.values
        else:
            own, x = own.sel(channel=list(curve.entries), esno_db=esno_db), np.array(how.values)
        mean, low, high = (own[name].values for name in names)
        if np.isnan(mean).all():
            continue
        ax.plot(x, mean, color=look[system].colour, marker=look[system].marker,
                linestyle=LINES[line % len(LINES)], markersize=3.6, markeredgecolor="white",
                markeredgewidth=0.4)  # fmt: skip
        ax.fill_between(x, low, high, color=look[system].colour, alpha=0.1, linewidth=0)


def _x_axis(ax: Axes, how: Plan) -> None:
    if how.x == "esno_db":
        ax.set_xlabel("$E_s/N_0$ per channel use (dB)")
        return
    ax.set_xlabel(LABELS.get(how.x, how.x))
    if min(how.values) > 0 and max(how.values) >= 20 * min(how.values):
        ax.set_xscale("log")
        ax.set_xticks(how.values, [f"{value:g}" for value in how.values])
        ax.minorticks_off()


def _legends(drawn: Figure, found: xr.Dataset, how: Plan, note: str) -> None:
    from matplotlib.lines import Line2D

    look = styles([str(name) for name in found.system.values])
    handles = [
        Line2D([], [], color=look[name].colour, marker=look[name].marker, label=system_label(name))
        for name in map(str, found.system.values)
    ]
    most = max((curves for _, curves in how.columns), key=len)
    handles += [
        Line2D([], [], color=GREY, linestyle=LINES[n % len(LINES)], label=curve.label)
        for n, curve in enumerate(most) if curve.label
    ]  # fmt: skip
    width = drawn.get_size_inches()[0]
    drawn.legend(
        handles=handles, loc="outside upper center", frameon=False,
        ncols=min(len(handles), max(2, int(width / 2.2))),
    )  # fmt: skip
    text = textwrap.fill(note, int(20 * width))
    below = drawn.legend(handles=[], title=text, title_fontsize=6.5, loc="outside lower center",
                         frameon=False)  # fmt: skip
    below.get_title().set_multialignment("center")
