"""Figures over a parameter of the link: speed, pilots, knowledge of the channel.

Where the entries of a sweep's channels differ in a number, that is the x axis, a column an Es/N0;
where they differ in words alone, Es/N0 is the x axis, a column a channel. What else differs tells
curves of one system apart by their line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from experiments.figures.chart import Chart
from experiments.figures.curves import SHARE, banded
from experiments.figures.panel import Axis, Curve, Panel
from experiments.figures.style import GREY, Style, styles
from experiments.figures.views import ESNO, defined_note, shown_metrics
from experiments.sweep.labels import channel_label, metric_label, ratio_label, system_label
from experiments.sweep.links import Link

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
class Group:
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
        columns: Title of each column and its groups.
    """

    x: str
    values: tuple[float, ...]
    columns: tuple[tuple[str, tuple[Group, ...]], ...]


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
    numbers = [key for key, values in keys.items() if None not in map(_number, values)]
    x = max(numbers, key=lambda key: len(set(keys[key])), default=None)
    columns: dict[str, list[int]] = {}
    for n, entry in enumerate(entries):
        title = Link.parse(entry, default_phy).channel if x is None else ""
        columns.setdefault(title, []).append(n)
    if x is None and len(columns) == len(entries):
        return None
    x_of = [0.0] * len(entries) if x is None else [float(value) for value in keys[x]]
    values = tuple(sorted(set(x_of)))
    made = []
    for title, own in columns.items():
        rest = [key for key in keys if key != x and len({keys[key][n] for n in own}) > 1]
        groups: dict[str, list[int]] = {}
        for n in sorted(own, key=lambda n: x_of[n]):
            groups.setdefault(_label(keys, rest, n), []).append(n)
        if any(tuple(x_of[n] for n in group) != values for group in groups.values()):
            return None  # a curve with holes is better read from the table
        found = ((label, tuple(entries[n] for n in group)) for label, group in groups.items())
        made.append((title, tuple(Group(*group) for group in found)))
    return Plan(x or "esno_db", values if x else (), tuple(made))


def _label(keys: dict[str, list[str]], rest: Sequence[str], n: int) -> str:
    words = [
        keys[key][n] if key in _WORDS else f"{key}={keys[key][n]}" for key in rest if keys[key][n]
    ]
    return ", ".join(words)


def _x_axis(how: Plan) -> Axis:
    if how.x == "esno_db":
        return ESNO
    wide = min(how.values) > 0 and max(how.values) >= 20 * min(how.values)
    ticks = {value: f"{value:g}" for value in how.values} if wide else {}
    return Axis(LABELS.get(how.x, how.x), how.x, "log" if wide else "linear", ticks)


def parameter_charts(
    ds: xr.Dataset, found: xr.Dataset, arrivals: xr.Dataset, how: Plan, note: str
) -> list[Chart]:
    """Quality, and delivery of what is needed most, over what the entries differ in.

    Args:
        ds: The store.
        found: `experiments.sweep.summary.quality` of it.
        arrivals: `experiments.sweep.delivery.delivery_probabilities` of it.
        how: The plan.
        note: What the bands mean.

    Returns:
        A chart for each bandwidth ratio and metric.
    """
    columns: list[tuple[str, tuple[Group, ...], float | None]]
    if how.x == "esno_db":
        columns = [(channel_label(name), groups, None) for name, groups in how.columns]
    else:
        groups = how.columns[0][1]
        picked = np.linspace(0, ds.sizes["esno_db"] - 1, min(ds.sizes["esno_db"], MAX_COLUMNS))
        levels = ds.esno_db.values[picked.round().astype(int)].tolist()
        columns = [(f"Es/N0 = {level:g} dB", groups, level) for level in levels]
    most = max((groups for _, groups in how.columns), key=len)
    keys = [
        (group.label, Style(GREY, "", LINES[n % len(LINES)]))
        for n, group in enumerate(most) if group.label
    ]  # fmt: skip
    x, share = _x_axis(how), replace(SHARE, label="delivery of the caption or file")
    first, made = first_units(arrivals), []
    for rho in map(float, ds.rho.values):
        below = [
            Panel(x, share, _curves(first.sel(rho=rho), "{}", how, groups, esno_db))
            for _, groups, esno_db in columns
        ]
        for metric in shown_metrics(found):
            part = found.sel(rho=rho, metric=metric)
            y = Axis(metric_label(metric))
            top = [
                Panel(x, y, _curves(part, "value_{}", how, groups, esno_db), title)
                for title, groups, esno_db in columns
            ]
            over = f"ρ = {ratio_label(rho)}"
            stem = f"{metric}_{how.x}_rho{ratio_label(rho)}"
            own = f"{over}; {note}{defined_note(found, metric, ds.sizes['image'])}"
            made.append(Chart(stem, over, [top, below], (1.0, 0.5), keys, own))
    return made


def first_units(arrivals: xr.Dataset) -> xr.Dataset:
    """Delivery of what each system needs most: the first unit that it sends, layers before files.

    Args:
        arrivals: Over ``unit`` and ``system``, NaN where a system never sends a unit.
    """
    sent = arrivals.probability.notnull().any([d for d in arrivals.dims if d not in _KEPT])
    first = sent.transpose("system", "unit").argmax("unit")
    return arrivals.isel(unit=first).rename(probability="mean")


def _curves(
    part: xr.Dataset, names: str, how: Plan, groups: Sequence[Group], esno_db: float | None
) -> list[Curve]:
    """A curve for each group and system that has values."""
    look = styles([str(name) for name in part.system.values])
    made = []
    for line, group in enumerate(groups):
        for system, style in look.items():
            own, x = part.sel(system=system), np.array(how.values)
            if esno_db is None:
                own, x = own.sel(channel=group.entries[0]), part.esno_db.values
            else:
                own = own.sel(channel=list(group.entries), esno_db=esno_db)
            if own[names.format("mean")].isnull().all():
                continue
            style = replace(style, line=LINES[line % len(LINES)])
            label, column = system_label(system), f"{system}_{group.label}_mean"
            made.append(banded(x, own, names, style, label=label, column=column))
    return made
