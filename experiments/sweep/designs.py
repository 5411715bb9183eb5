"""What a transmission is designed for: a point of the sweep, as far as the sender knows it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Set
from dataclasses import dataclass

from experiments.sweep.links import Link
from experiments.sweep.spec import SweepSpec
from scmc_comm.link.budget import Design, design_for

Point = tuple[int, int]
"""Index of the channel and of the Es/N0 in the sweep's axes."""


@dataclass(frozen=True)
class Designs:
    """The designs of one system, each of which an image is prepared for once.

    Attributes:
        each: All of them, numbered in the order of the axes.
        of: Number of the design used at each point.
    """

    each: tuple[Design, ...]
    of: Mapping[Point, int]


def designs_of(spec: SweepSpec, side_information: Set[str], analog: bool = False) -> Designs:
    """The distinct (channel, Es/N0) that a system knows; what it does not know is the sweep's.

    Args:
        spec: The sweep.
        side_information: As `scmc_comm.systems.base.System.side_information`.
        analog: Give each point a number of its own, also where designs are equal: what an analog
            receiver shows belongs to the point.

    Example:
        >>> spec = SweepSpec("demo", ("scmc",), ("awgn", "rayleigh_block"), (0.0, 9.0), (1 / 24,))
        >>> [design.esno_db for design in designs_of(spec, frozenset()).each]
        [10.0]
        >>> len(designs_of(spec, {"esno_db", "channel"}).each)
        4
    """
    points = itertools.product(range(len(spec.channels)), range(len(spec.esno_db)))
    chosen = {(c, e): _design(spec, side_information, c, e) for c, e in points}
    if analog:
        return Designs(tuple(chosen.values()), {at: number for number, at in enumerate(chosen)})
    each = tuple(dict.fromkeys(chosen.values()))
    return Designs(each, {at: each.index(design) for at, design in chosen.items()})


def _design(spec: SweepSpec, side_information: Set[str], c: int, e: int) -> Design:
    link = Link.parse(spec.channels[c], spec.phy)
    return design_for(
        side_information, link.channel, spec.esno_db[e], link.phy, spec.design_esno_db
    )
