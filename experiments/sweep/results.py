"""What a task hands back: small, however many trials there were."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.sweep.designs import Design, Point


@dataclass(frozen=True)
class SetQuality:
    """What the receiver makes of one delivered set.

    Attributes:
        metrics: Quality by name.
        level: The highest layer used, -1 without any.
        caption: The caption received.
        picture: Content key of the picture; it lies in the cache if a strip may show it.
        features: Content key of its features, or empty where no metric of sets is asked for.
    """

    metrics: dict[str, float]
    level: int
    caption: str
    picture: str = ""
    features: str = ""


@dataclass(frozen=True)
class PointResult:
    """What arrived at a point.

    Attributes:
        key: Content key of the point; its trials lie in the cache under it.
        weights: For each mask its number of trials or, as the sum over it is exact, its
            probability.
    """

    key: str
    weights: Mapping[int, float]


@dataclass(frozen=True)
class CellResult:
    """The outcome of the points that share one preparation: a (system, image, rho, design).

    Attributes:
        system: Name of the system.
        image: Name of the image.
        rho: Index of the bandwidth ratio.
        design: Number of the design among the system's.
        designed_for: That design.
        frames: Tags sent; none if the budget is infeasible.
        infeasible: Why nothing could be sent, or empty.
        bpp: Bits per pixel put on the wire once.
        channel_uses: Complex channel uses charged by the ledger.
        points: What arrived, by channel and Es/N0.
        quality: What the receiver makes of each mask that occurred.
        pilot_uses: Those of the channel uses that were pilots.
        ledger: Channel uses by what they carry, what is left of the budget included.
        papr_db: Peak over mean power of the waveform in dB; NaN where nothing is sent.
        original_features: Content key of the original's features, or empty.
        left_out: Of layers that were to be sent, by tag, why they are not.
    """

    system: str
    image: str
    rho: int
    design: int
    designed_for: Design
    frames: tuple[str, ...]
    infeasible: str
    bpp: float
    channel_uses: int
    points: Mapping[Point, PointResult]
    quality: Mapping[int, SetQuality]
    pilot_uses: int = 0
    ledger: Mapping[str, float] = field(default_factory=dict)
    papr_db: float = math.nan
    original_features: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
