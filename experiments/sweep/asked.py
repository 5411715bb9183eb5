"""Which metrics a sweep asks for at a point: some at its primary endpoints alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from experiments.sweep.designs import Point
from experiments.sweep.primary import Endpoint
from experiments.sweep.spec import SweepSpec


def primary_points(spec: SweepSpec) -> NDArray[np.bool_]:
    """Flags [channel, esno_db, rho] of the points that a primary endpoint averages over."""
    endpoints = [Endpoint.parse(text) for text in spec.primary]
    each = itertools.product(spec.channels, spec.esno_db, spec.rho)
    flags = np.array([any(endpoint.holds(*at) for endpoint in endpoints) for at in each], bool)
    return flags.reshape(len(spec.channels), len(spec.esno_db), len(spec.rho))


def metrics_at(
    spec: SweepSpec, metrics: tuple[str, ...], rho: int, points: Iterable[Point]
) -> tuple[str, ...]:
    """The metrics that are asked for of what is shown at some of these points.

    Args:
        spec: The sweep.
        metrics: Those that can be measured, the ``primary_metrics`` included.
        rho: Index of the bandwidth ratio.
        points: Channels and SNRs.
    """
    flags = primary_points(spec)
    primary = any(flags[channel, esno_db, rho] for channel, esno_db in points)
    return tuple(m for m in metrics if primary or m not in spec.primary_metrics)
