"""Rate-quality points of image codecs for the bounds of a sweep, found by the runner's workers.

Each (codec, picture, quality) is coded and scored once and kept in the cache under its content.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from channels.bounds.awgn import capacity
from channels.units import rho_to_uses
from experiments.execution.cache import Cache, digest
from experiments.sweep.components import Components
from experiments.sweep.spec import SweepSpec

# From the coarsest to nearly lossless, finer where the curve bends; other codecs use all they have.
LADDERS: dict[str, tuple[float, ...]] = {
    "jpeg": (1, 2, 4, 7, 10, 15, 25, 40, 60, 80, 90, 95),
    "webp": (0, 12, 25, 38, 50, 63, 76, 88, 101, 110),
    "jpeg2000": (16, 40, 64, 88, 112, 136, 160, 184, 208),
    "avif": (0, 5, 10, 16, 22, 28, 34, 40, 46, 52),
    "hevc": (0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40),
    "vvc": (0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60),
}


@dataclass(frozen=True)
class RateTask:
    """One picture through one codec, from the coarsest quality up.

    Attributes:
        codec: Name of the image codec.
        image: Name of the picture.
        img: float32 [3, H, W] in [0, 1], as an array so that it travels between processes.
        img_digest: Content key of ``img``.
        metrics: Metrics to measure.
        qualities: The codec's settings to measure, from coarsest to finest.
        max_bits: The first point with this many bits is the last.
        fingerprint: Identity of code and weights.
        cache_dir: Folder of the cache.
        components: The parts to build from.
    """

    codec: str
    image: str
    img: np.ndarray
    img_digest: str
    metrics: tuple[str, ...]
    qualities: tuple[float, ...]
    max_bits: float
    fingerprint: str
    cache_dir: Path
    components: Components


@dataclass(frozen=True)
class RatePoints:
    """The points of one picture and codec.

    Attributes:
        codec: Name of the image codec.
        image: Name of the picture.
        num_bits: Bits of the whole stream, rising with quality.
        metrics: For each metric its value at each point.
        failure: For each metric that of mid-grey, shown where nothing can be decoded.
    """

    codec: str
    image: str
    num_bits: tuple[int, ...]
    metrics: Mapping[str, tuple[float, ...]]
    failure: Mapping[str, float]


@functools.cache
def _codec(components: Components, name: str) -> Any:
    return components.make_codec(name)


def ladder(codec: Any) -> tuple[float, ...]:
    """The qualities that are measured of a codec, from coarsest to finest.

    Example:
        >>> from scmc_comm.baselines.image_codecs import make_image_codec
        >>> ladder(make_image_codec("vvc-file"))[:3]
        (0, 5, 10)
    """
    return LADDERS.get(codec.name.removesuffix("-file"), tuple(codec.qualities))


def _scores(task: RateTask, img_hat: torch.Tensor) -> dict[str, float]:
    found = task.components.measure(torch.from_numpy(task.img), img_hat, task.metrics)
    return {name: float(found[name]) for name in task.metrics}


def _point(task: RateTask, cache: Cache, quality: float | None) -> dict[str, Any]:
    """Bits and scores at a quality; of the failure picture where there is none."""
    codec = "" if quality is None else task.codec
    key = digest(
        "rate point", task.fingerprint, codec, quality, task.img_digest, list(task.metrics)
    )
    known = cache.get_json(key)
    if known is None:
        img = torch.from_numpy(task.img)
        if quality is None:
            known = {"bits": 0, **_scores(task, torch.full_like(img, 0.5))}
        else:
            coder = _codec(task.components, task.codec)
            data = coder.encode(img, quality)
            img_hat = coder.decode(data, (int(img.shape[1]), int(img.shape[2])))
            known = {"bits": 8 * len(data), **_scores(task, img_hat)}
        cache.put_json(key, known)
    return dict(known)


def run_rate_task(task: RateTask) -> RatePoints:
    """Codes and scores one picture until the rate reaches ``max_bits``."""
    cache = Cache(task.cache_dir)
    points: list[dict[str, Any]] = []
    for quality in task.qualities:
        points.append(_point(task, cache, quality))
        if points[-1]["bits"] >= task.max_bits:
            break
    failure = _point(task, cache, None)
    return RatePoints(
        task.codec, task.image, tuple(p["bits"] for p in points),
        {name: tuple(p[name] for p in points) for name in task.metrics},
        {name: failure[name] for name in task.metrics},
    )  # fmt: skip


def most_bits(spec: SweepSpec, size: tuple[int, int]) -> float:
    """Bits that the best point of a sweep carries at capacity: no bound looks beyond."""
    return rho_to_uses(max(spec.rho), size) * float(capacity(max(spec.esno_db)))


def rate_tasks(
    spec: SweepSpec,
    images: Mapping[str, np.ndarray],
    digests: Mapping[str, str],
    metrics: Sequence[str],
    fingerprint: str,
    cache_dir: Path,
    components: Components,
) -> list[RateTask]:
    """A task for each codec that the sweep draws bounds of, and each picture."""
    return [
        RateTask(
            codec, name, img, digests[name], tuple(metrics), ladder(_codec(components, codec)),
            most_bits(spec, (int(img.shape[1]), int(img.shape[2]))), fingerprint, cache_dir,
            components,
        )
        for codec in spec.bounds
        for name, img in images.items()
    ]  # fmt: skip
