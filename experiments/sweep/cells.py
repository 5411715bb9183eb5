"""Results of tasks put together: each (system, rho, image, design) once, and all sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from experiments.sweep import store
from experiments.sweep.points import set_of
from experiments.sweep.results import CellResult, SetQuality
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError

Cells = Mapping[tuple[int, int, int, int], CellResult]
"""Results by index of system, rho, image and design."""


def merge(spec: SweepSpec, images: Sequence[str], results: Sequence[CellResult]) -> Cells:
    """Puts the parts of each (system, rho, image, design) together."""
    found: dict[tuple[int, int, int, int], CellResult] = {}
    for part in results:
        at = (spec.systems.index(part.system), part.rho, images.index(part.image), part.design)
        if at in found:
            points = {**found[at].points, **part.points}
            quality = _united(found[at].quality, part.quality)
            part = dataclasses.replace(part, points=points, quality=quality)
        found[at] = part
    return found


def _united(a: Mapping[int, SetQuality], b: Mapping[int, SetQuality]) -> dict[int, SetQuality]:
    """What is known of each mask from two parts, which may ask for different metrics of it."""
    both = {
        mask: dataclasses.replace(b[mask], metrics={**a[mask].metrics, **b[mask].metrics})
        for mask in a.keys() & b.keys()
    }
    return {**a, **b, **both}


def occurring_sets(cells: Iterable[CellResult]) -> list[frozenset[str]]:
    """All delivered sets that occurred, in the order of the store."""
    found = {set_of(cell.frames, mask) for cell in cells for mask in cell.quality}
    if len(found) > store.NOT_RUN:
        raise ScmcError(
            f"{len(found)} different sets of frames were delivered, a store can number "
            f"{store.NOT_RUN}; split the sweep, or send fewer frames an image"
        )
    return sorted(found, key=store.set_order)
