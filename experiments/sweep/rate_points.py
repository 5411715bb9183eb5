"""Rate-quality curves of codecs: each point of each picture is coded and scored once and kept.

Sweeps draw bounds from them, rate-distortion runs compare them. A point lies in the cache under
its content as soon as it is measured, so that a run that was cut short goes on where it stopped.
"""

from __future__ import annotations

import functools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from channels.bounds.awgn import capacity
from channels.units import rho_to_uses
from experiments.execution.cache import Cache, digest
from experiments.execution.executors import Executor
from experiments.execution.fingerprint import fingerprint as content_of
from experiments.sweep.components import Components, Measure, metric_identity
from experiments.sweep.originals import Original
from experiments.sweep.spec import SweepSpec
from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.reduced import at_divisor, divisors_for
from scmc_comm.errors import TooFineError
from scmc_comm.types import UNANNOTATED, Annotation

AT = " at 1/"
"""Between a point's quality and its divisor, where the picture is coded at reduced resolution."""

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
class Coded:
    """One picture at one point of a curve.

    Attributes:
        num_bytes: All bytes on the wire.
        img_hat: float32 [3, H, W] in [0, 1], what the receiver shows.
        encode_s: Wall time of encoding in seconds.
        decode_s: Wall time of decoding in seconds.
    """

    num_bytes: int
    img_hat: torch.Tensor
    encode_s: float
    decode_s: float


class CurveCodec(ABC):
    """A codec with the points of its curve, from coarsest to finest."""

    points: tuple[str, ...]

    def reduced(self, size: tuple[int, int]) -> list[tuple[str, ...]]:
        """Points at reduced resolutions of a picture of ``(H, W)``, a series each."""
        return []

    def check_size(self, size: tuple[int, int]) -> None:  # noqa: B027
        """Refuses a picture of ``(H, W)`` that no point can code, with a ScmcError."""

    @abstractmethod
    def code(self, img: torch.Tensor, point: str) -> Coded:
        """Encode and decode float [3, H, W] in [0, 1] at one of the points."""

    @abstractmethod
    def num_parameters(self) -> int:
        """Learned parameters of the largest network that a receiver of any point holds."""


class ImageCurveCodec(CurveCodec):
    """An image codec at a ladder of qualities.

    Args:
        codec: A `scmc_comm.baselines.image_codec.ImageCodec`.
        qualities: From coarsest to finest; None takes those of `LADDERS`.

    Example:
        >>> from scmc_comm.baselines.image_codecs import make_image_codec
        >>> ImageCurveCodec(make_image_codec("vvc:headers=file")).points[:3]
        ('0', '5', '10')
    """

    def __init__(self, codec: Any, qualities: Sequence[float] | None = None) -> None:
        family = codec.name.partition(":")[0]
        self._codec = codec
        chosen = LADDERS.get(family, codec.qualities) if qualities is None else qualities
        self._qualities = {f"{quality:g}": quality for quality in chosen}
        self.points = tuple(self._qualities)

    def reduced(self, size: tuple[int, int]) -> list[tuple[str, ...]]:
        """See `CurveCodec.reduced`: every second quality at each `DIVISORS` but 1."""
        if not isinstance(self._codec, ImageCodec):
            return []
        return [
            tuple(f"{point}{AT}{divisor}" for point in self.points[::2])
            for divisor in divisors_for(size)
            if divisor > 1
        ]

    def check_size(self, size: tuple[int, int]) -> None:
        """See `CurveCodec.check_size`."""
        self._codec.check_size(size)

    def code(self, img: torch.Tensor, point: str) -> Coded:
        """Encode and decode, the constant parts made beforehand."""
        name, _, divisor = point.partition(AT)
        quality, size = self._qualities[name], (int(img.shape[1]), int(img.shape[2]))
        codec = at_divisor(self._codec, int(divisor)) if divisor else self._codec
        codec.warm(size, quality)
        start = time.perf_counter()
        data = codec.encode(img, quality)
        middle = time.perf_counter()
        img_hat = codec.decode(data, size)
        return Coded(len(data), img_hat, middle - start, time.perf_counter() - middle)

    def num_parameters(self) -> int:
        """Of the largest quality's network; 0 for conventional codecs."""
        return max(self._codec.num_parameters(quality) for quality in self._qualities.values())


@dataclass(frozen=True)
class RateTask:
    """One picture through one codec, from the coarsest point up.

    Attributes:
        codec: Name of the codec.
        image: Name of the picture.
        original: The picture.
        metrics: Metrics to measure.
        fingerprint: Identity of the code and weights that the numbers depend on.
        cache_dir: Folder of the cache.
        make_codec: Builds a `CurveCodec`, or an image codec, by name; importable.
        measure: As `Components.measure`; importable.
        metric_identity: Identity of a metric by name; importable.
        max_bits: The first point with this many bits is the last.
        reduced: Measure reduced resolutions too.
        annotation: What the data set states of the picture.
    """

    codec: str
    image: str
    original: Original
    metrics: tuple[str, ...]
    fingerprint: str
    cache_dir: Path
    make_codec: Callable[[str], Any]
    measure: Measure
    metric_identity: Callable[[str], str] = metric_identity
    max_bits: float = np.inf
    reduced: bool = False
    annotation: Annotation = UNANNOTATED

    @property
    def img_digest(self) -> str:
        """Content key of the picture and the annotation."""
        return self.original.key(self.annotation)

    @property
    def made_codec(self) -> CurveCodec:
        """The codec."""
        return curve_codec(self.make_codec, self.codec, self.fingerprint)


@dataclass(frozen=True)
class RatePoints:
    """The points of one picture and codec, from the coarsest.

    Attributes:
        codec: Name of the codec.
        image: Name of the picture.
        num_bits: Bits of the whole stream.
        metrics: For each metric its value at each point.
        failure: For each metric that of mid-grey, shown where nothing can be decoded.
        points: Names of the points.
        encode_s: Wall times of encoding in seconds.
        decode_s: Wall times of decoding in seconds.
    """

    codec: str
    image: str
    num_bits: tuple[int, ...]
    metrics: Mapping[str, tuple[float, ...]]
    failure: Mapping[str, float]
    points: tuple[str, ...] = ()
    encode_s: tuple[float, ...] = ()
    decode_s: tuple[float, ...] = ()


@functools.lru_cache(maxsize=16)
def curve_codec(make_codec: Callable[[str], Any], name: str, fingerprint: str) -> CurveCodec:
    """The codec of a `RateTask`, made once a process for each state of what it is made from."""
    made = make_codec(name)
    return made if isinstance(made, CurveCodec) else ImageCurveCodec(made)


def _point_key(task: RateTask, point: str | None) -> str:
    """Where a point lies in the cache; of the failure picture where there is none."""
    return digest(
        "rate point",
        task.fingerprint,
        "" if point is None else task.codec,
        point,
        task.img_digest,
    )


def points_of(task: RateTask) -> list[str]:
    """All points of a task; a rate limit, or a codec's own, may end them before the last."""
    codec = task.made_codec
    series = codec.reduced(task.original.size) if task.reduced else []
    return [*codec.points, *(name for names in series for name in names)]


def unknown_points(task: RateTask) -> list[str]:
    """Those of `points_of` of which the cache lacks bits or scores."""
    cache = Cache(task.cache_dir)
    kept = {task.metric_identity(name) for name in task.metrics}
    found = []
    for name in points_of(task):
        known = cache.get_json(_point_key(task, name)) or {"scores": {}}
        if "bits" not in known or not kept <= set(known["scores"]):
            found.append(name)
    return found


def _point(task: RateTask, cache: Cache, point: str | None) -> dict[str, Any]:
    """Bits, scores and times at a point; of the failure picture where there is none."""
    key = _point_key(task, point)
    known: dict[str, Any] = cache.get_json(key) or {"scores": {}}
    kept = {name: task.metric_identity(name) for name in task.metrics}
    missing = tuple(name for name in task.metrics if kept[name] not in known["scores"])
    if missing or "bits" not in known:
        img = task.original.img
        if point is None:
            coded = Coded(0, torch.full_like(img, 0.5), 0.0, 0.0)
        else:
            coded = task.made_codec.code(img.clone(), point)
        found = task.measure(img, coded.img_hat, missing, task.annotation)
        scores = known["scores"] | {kept[name]: float(found[name]) for name in missing}
        known = {
            "bits": 8 * coded.num_bytes, "scores": scores,
            "encode_s": coded.encode_s, "decode_s": coded.decode_s,
        }  # fmt: skip
        cache.put_json(key, known)
    return known | {"scores": {name: known["scores"][kept[name]] for name in task.metrics}}


def measure_point(task: RateTask, point: str) -> None:
    """Codes and scores one point of a task, unless that is known."""
    _point(task, Cache(task.cache_dir), point)


def run_rate_task(task: RateTask) -> RatePoints:
    """Codes and scores one picture until the rate reaches ``max_bits``."""
    cache = Cache(task.cache_dir)
    codec = task.made_codec
    points: dict[str, dict[str, Any]] = {}
    for series in (codec.points, *(codec.reduced(task.original.size) if task.reduced else ())):
        for name in series:
            try:
                points[name] = _point(task, cache, name)
            except TooFineError:  # nor can what is finer be coded
                break
            if points[name]["bits"] >= task.max_bits:
                break
    found = list(points.values())
    bits, encode_s, decode_s = (
        tuple(point[key] for point in found) for key in ("bits", "encode_s", "decode_s")
    )
    metrics = {name: tuple(point["scores"][name] for point in found) for name in task.metrics}
    failure = _point(task, cache, None)["scores"]
    return RatePoints(
        task.codec, task.image, bits, metrics, failure, tuple(points), encode_s, decode_s
    )


def measure_curves(
    tasks: Sequence[RateTask], workers: Executor, description: str, progress: bool
) -> list[RatePoints]:
    """Runs tasks, whose pairs of codec and picture differ, and gives their points in order.

    Args:
        tasks: What to measure.
        workers: Where to.
        description: Of the progress bar.
        progress: Show it.
    """
    found: dict[tuple[str, str], RatePoints] = {}
    hidden = not progress or not tasks
    bar = tqdm(total=len(tasks), desc=description, unit="curve", disable=hidden)
    with bar, closing(workers.run(run_rate_task, tasks)) as each:
        for points in each:
            found[points.codec, points.image] = points
            bar.update()
    return [found[task.codec, task.image] for task in tasks]


def bound_tasks(
    spec: SweepSpec,
    images: Mapping[str, Original],
    metrics: tuple[str, ...],
    fingerprint: str,
    cache_dir: Path,
    components: Components,
    annotations: Mapping[str, Annotation] | None = None,
) -> list[RateTask]:
    """A task for each codec that a sweep draws bounds of, and each picture.

    No bound looks beyond the bits that the sweep's best point carries at capacity. Reduced
    resolutions belong to it, as systems may send them.
    """
    best = float(capacity(max(spec.esno_db)))
    files = {codec: components.make_codec(codec).files for codec in spec.bounds}
    made_from = {}
    for codec, paths in files.items():
        own = [content_of(paths, packages=())] if paths else []
        own += filter(None, [components.codec_identity(codec)])
        made_from[codec] = digest(fingerprint, *own) if own else fingerprint
    return [
        RateTask(
            codec, name, original, metrics, made_from[codec], cache_dir, components.make_codec,
            components.measure, components.metric_identity,
            best * rho_to_uses(max(spec.rho), original.size),
            reduced=True, annotation=(annotations or {}).get(name, UNANNOTATED),
        )
        for codec in spec.bounds
        for name, original in images.items()
    ]  # fmt: skip
