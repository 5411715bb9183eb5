"""Curves of what arrives: the delivery probability of each unit, or the probability of its loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from experiments.figures.panel import Curve
from experiments.figures.style import GREY, LAYER_LINES, Style
from experiments.figures.views import View, legend_label
from experiments.sweep import store
from experiments.sweep.labels import unit_label

FILE_LAYER = "image."
"""Tags of a file's layers start so; the coarsest is ``image.1``."""
FILE_LINES: dict[int, tuple[Any, ...]] = {
    2: (":", "-"), 3: (":", "--", "-"), 4: (":", "-.", "--", "-"),
}  # fmt: skip
"""Lines of a file's layers from the coarsest, by their number."""
MOST_LINES = 9  # of a panel that can still be read


def units_of(view: View, system: str) -> list[str]:
    """`whole_units` that a system sends, what it needs most first."""
    sent = view.arrivals.probability.sel(system=system).notnull().any(("channel", view.x))
    return whole_units(view.arrivals.unit.values[sent.values])


def whole_units(tags: Iterable[str]) -> list[str]:
    """The units that stand for layers: of a layer in parts the first, which all others need.

    Example:
        >>> whole_units(["signal", "signal.2", "image.1"])
        ['signal', 'image.1']
    """
    return [str(tag) for tag in tags if "." not in tag or tag.startswith(FILE_LAYER)]


def unit_line(unit: str, units: Sequence[str]) -> Any:
    """Line of a unit: the coarsest dotted, the finest and a whole file solid.

    Args:
        unit: Its tag.
        units: The tags of all units of its system.

    Example:
        >>> unit_line("structure", ["semantic", "structure"]), unit_line("image.1", ["image.1"])
        ('--', '-')
        >>> unit_line("image.2", ["image.1", "image.2", "image.3"])
        '--'
    """
    layers = [own for own in units if own.startswith(FILE_LAYER)]
    if unit in layers:
        return FILE_LINES.get(len(layers), ("-",) * len(layers))[layers.index(unit)]
    return LAYER_LINES.get(unit, "-")


def unit_curves(
    view: View, channel: str, systems: Sequence[str], *, lost: bool = False
) -> list[Curve]:
    """Delivery of each unit of some systems over a channel, or the probability of its loss.

    Where no loss was seen only its upper limit is known.

    Args:
        view: What to draw.
        channel: Over which channel.
        systems: Of which systems.
        lost: The probability of loss instead.
    """
    made = []
    for system in systems:
        units = units_of(view, system)
        for unit in units:
            part = view.arrivals.sel(unit=unit, channel=channel, system=system)
            if part.probability.isnull().all():
                continue
            mean, low, high = (part[end].values for end in ("probability", "low", "high"))
            column = f"{system}_{unit}"
            if lost:
                mean, low, high = 1 - mean, 1 - high, 1 - low
                mean, high = (np.where(ends > 0, ends, np.nan) for ends in (mean, high))
                column = f"{column}_loss"
            style = replace(view.style[system], line=unit_line(unit, units))
            label = legend_label(view, system)
            x = view.ds[view.x].values
            made.append(Curve(x, mean, low, high, style, label, unit_label(unit), column))
    return made


def shown_curves(view: View, channel: str, systems: Sequence[str]) -> list[Curve]:
    """The probability that a receiver has something to show, of some systems over a channel."""
    shows = store.weights(view.ds) * (store.at_points(view.ds, "level") >= 0)
    share = shows.sum("set").mean("image").sel({"channel": channel, view.other: view.fixed})
    x = view.ds[view.x].values
    return [
        Curve(
            x, share.sel(system=system).values, None, None, view.style[system],
            legend_label(view, system), column=f"{system}_shown",
        )
        for system in systems
    ]  # fmt: skip


def line_keys(units_of_each: Iterable[Sequence[str]], of: str = "") -> list[tuple[str, Style]]:
    """Legend entries of the lines that units have; ``of`` says which curves they are.

    Example:
        >>> [word for word, _ in line_keys([["semantic", "signal"], ["image"]])]
        ['caption', 'signal or file']
        >>> [word for word, _ in line_keys([["image.1", "image.2", "image.3"]])]
        ['coarsest layer', 'layer between', 'finest layer']
    """
    words: dict[Any, list[str]] = {line: [] for line in (":", "-.", "--", "-")}
    for units in units_of_each:
        for unit in units:
            line = unit_line(unit, units)
            word = unit_label(unit)
            if unit.startswith(FILE_LAYER) and len(units) > 1:
                ends = {units[0]: "coarsest layer", units[-1]: "finest layer"}
                word = ends.get(unit, "layer between" if len(units) == 3 else unit_label(unit))
            if word not in words[line]:
                words[line].append(word)
    return [
        (of + ", ".join(own[:-1]) + " or " * (len(own) > 1) + own[-1], Style(GREY, "", line))
        for line, own in words.items()
        if own
    ]  # fmt: skip


def all_units(view: View) -> list[list[str]]:
    """`units_of` every system."""
    return [units_of(view, system) for system in view.systems]


def by_lines(view: View) -> list[list[str]]:
    """The digital systems in panels of about `MOST_LINES` units' curves or less, in their order."""
    lines = {name: len(units) for name in view.systems if (units := units_of(view, name))}
    before = np.cumsum([0, *lines.values()])
    number = -(-int(before[-1]) // MOST_LINES)
    middles = (before[1:] + before[:-1]) / 2
    place = (middles * number / before[-1]).astype(int)
    panels = [
        [name for name, own in zip(lines, place, strict=True) if own == panel]
        for panel in range(number)
    ]
    return [panel for panel in panels if panel]


def sends_units(view: View) -> bool:
    """Is any of its systems digital?"""
    return bool(store.unit_tags(view.ds))
