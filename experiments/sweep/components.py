"""What the runner is made of: real by default, replaced by toys in tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from channels.errors import no_such
from experiments.execution.fingerprint import code_fingerprint
from experiments.specs import check_distinct
from experiments.sweep.links import Link
from experiments.sweep.primary import Endpoint
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.types import Annotation

logger = logging.getLogger(__name__)

Measure = Callable[[torch.Tensor, torch.Tensor, tuple[str, ...], Annotation], dict[str, float]]
Features = Callable[[torch.Tensor], torch.Tensor]


def _make_system(name: str) -> Any:
    from scmc_comm.registry import make_system

    return make_system(name)


def _make_channel(name: str) -> Any:
    from channels.fading.models import make_channel

    return make_channel(name)


def _make_phy(estimator: str, phy: str = "flat") -> Any:
    from channels.phy.names import make_phy

    return make_phy(phy, estimator)


def _make_codec(name: str) -> Any:
    from scmc_comm.baselines.image_codecs import make_image_codec

    return make_image_codec(name)


def _measure(
    img: torch.Tensor, img_hat: torch.Tensor, names: tuple[str, ...], annotation: Annotation
) -> dict[str, float]:
    from scmc_comm.metrics import measure

    return measure(img, img_hat, names, annotation)


def metric_identity(name: str) -> str:
    """A metric's name and, of a plug-in's, what it is made of: what scores are kept by."""
    from scmc_comm.metrics import METRICS

    return " ".join(filter(None, (name, METRICS.identity(name))))


def _codec_identity(name: str) -> str:
    from scmc_comm.baselines.image_codecs import IMAGE_CODECS, family_of

    return IMAGE_CODECS.identity(family_of(name))


def _features(img: torch.Tensor) -> torch.Tensor:
    from scmc_comm.metrics.picture_features import NUM_MEAN, picture_features

    return picture_features(img[None])[0, -NUM_MEAN:]


def _available_metrics(names: tuple[str, ...]) -> tuple[str, ...]:
    from scmc_comm.metrics import METRICS, OF_SETS, unavailable

    for name in names:
        if name not in (*METRICS, *OF_SETS):
            raise ScmcError(no_such("metric", name, (*METRICS, *OF_SETS)))
        METRICS.get(name)  # a plug-in that is no metric is refused here
    absent = unavailable(names)
    for name, reason in absent.items():
        logger.warning("%s: %s", name, reason)
    return tuple(name for name in names if name not in absent)


def _load_images(source: str, num_images: int | None) -> Mapping[str, torch.Tensor]:
    from scmc_comm.datasets.image_sets import LazyImages

    return LazyImages(source, num_images)


def _annotations(source: str, num_images: int | None) -> dict[str, Annotation]:
    from scmc_comm.datasets.image_sets import annotations_of

    return annotations_of(source, num_images)


class TakesSizes(Protocol):
    """A system or a codec, which refuses pictures of a size that it cannot code."""

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises ScmcError."""


def check_sizes(what: str, coder: TakesSizes, sizes: Mapping[str, tuple[int, int]]) -> None:
    """Refuses pictures that something cannot code, before any work.

    Args:
        what: What codes them, for the error.
        coder: It.
        sizes: Height and width of each picture by name.

    Raises:
        ScmcError: It names the picture.
    """
    for name, size in sizes.items():
        try:
            coder.check_size(size)
        except ScmcError as error:
            raise ScmcError(f"{what}, picture {name}: {error}") from error


@dataclass(frozen=True)
class Components:
    """The parts a sweep needs; every function must be importable, workers look it up by name.

    Attributes:
        make_system: Makes one by name; ScmcError if there is none of that name.
        make_channel: Builds a channel by name and parameters.
        make_phy: Builds the physical layer of an estimator (`channels.phy.names.ESTIMATORS`)
            for a link by name.
        make_codec: Builds an image codec by name, for bounds.
        measure: ``(img, img_hat, names, annotation) -> {name: value}``, NaN where undefined.
        available_metrics: Those of the names whose weights are on this machine.
        load_images: ``(set name, number) -> {name: float32 [3, H, W]}``, perhaps read when looked
            up.
        annotations: What the data set states of them, by the same names.
        features: Of a picture float32 [3, H, W] those that metrics of sets compare, float32 [d].
        fingerprint: Identifies code and weights; part of every cache key.
        metric_identity: Of a metric by name: the name, and what a plug-in is made of.
        codec_identity: Of an image codec by name: what a plug-in is made of, else "".
    """

    make_system: Callable[[str], Any] = _make_system
    make_channel: Callable[[str], Any] = _make_channel
    make_phy: Callable[[str, str], Any] = _make_phy
    make_codec: Callable[[str], Any] = _make_codec
    measure: Measure = _measure
    available_metrics: Callable[[tuple[str, ...]], tuple[str, ...]] = _available_metrics
    load_images: Callable[[str, int | None], Mapping[str, torch.Tensor]] = _load_images
    annotations: Callable[[str, int | None], dict[str, Annotation]] = _annotations
    features: Features = _features
    fingerprint: Callable[[], str] = code_fingerprint
    metric_identity: Callable[[str], str] = metric_identity
    codec_identity: Callable[[str], str] = _codec_identity

    def check_names(self, spec: SweepSpec) -> None:
        """Fails before any work if a system, channel, link or codec of the sweep does not exist.

        Raises:
            ScmcError: Says which name came and which exist, or which two names mean the same.
        """
        from channels.phy.names import check_link, make_phy
        from scmc_comm.link.utility import Utility
        from scmc_comm.metrics import OF_SETS

        check_distinct("systems", {s: self.make_system(s).identity() for s in spec.systems})
        Utility.parse(spec.utility)
        for text in spec.primary:
            if Endpoint.parse(text).metric in OF_SETS:
                raise ScmcError(
                    f"primary endpoint {text!r} is a metric of a set of pictures; comparisons are "
                    "paired by picture: name a metric of single pictures"
                )
        make_phy(spec.phy, spec.estimator)
        found = {}
        for entry in spec.channels:
            link = Link.parse(entry, spec.phy)
            channel = self.make_channel(link.channel)
            check_link(link.phy, channel)
            found[entry] = channel.name, link.phy
        check_distinct("channels", found)
        codecs = {name: self.make_codec(name) for name in spec.bounds}
        check_distinct("bounds", {name: (made.name, made.files) for name, made in codecs.items()})

    def check_sizes(self, spec: SweepSpec, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Fails before any work if a system, or a codec of a bound, cannot code a picture.

        Raises:
            ScmcError: Says which picture and system, and what sizes can be coded.
        """
        for name in spec.systems:
            check_sizes(f"system {name}", self.make_system(name), sizes)
        for name in spec.bounds:
            check_sizes(f"bound {name}", self.make_codec(name), sizes)
