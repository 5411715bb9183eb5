"""The pictures of a timed experiment as each system sends them: sizes, and quality of each set."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image

from experiments.computing.measure import measure_picture
from experiments.computing.times import Coding, PictureTimes
from experiments.execution.cache import Cache, digest
from experiments.sweep.components import Components
from experiments.sweep.made import fingerprint_of, load_system
from experiments.sweep.originals import Original
from experiments.sweep.quality import Scorer
from experiments.sweep.tasks import prepare_cached, prepared_key
from scmc_comm.errors import ScmcError
from scmc_comm.images import from_uint8
from scmc_comm.link.budget import Budget
from scmc_comm.link.mcs import MCS_GRID
from scmc_comm.link.prepared import Prepared
from scmc_comm.ranges import MAX_RHO
from scmc_comm.systems.separate import Separate
from scmc_comm.types import UNANNOTATED, Annotation


@dataclass(frozen=True)
class Seen:
    """What a receiver makes of one delivered set.

    Attributes:
        metrics: By name.
        caption: Text that arrived, or empty.
        png: The picture, 8-bit PNG.
    """

    metrics: dict[str, float]
    caption: str
    png: bytes

    @property
    def img(self) -> torch.Tensor:
        """The picture, float32 [3, H, W]."""
        with Image.open(io.BytesIO(self.png)) as opened:
            return from_uint8(np.asarray(opened.convert("RGB")))


@dataclass(frozen=True)
class Sent:
    """One picture as one system sends it.

    Attributes:
        key: Content key.
        prepared: The transmission.
    """

    key: str
    prepared: Prepared

    @property
    def sizes(self) -> Mapping[str, int]:
        """Payload bits of each unit by tag, the most urgent first; none if it does not fit."""
        frames = sorted(self.prepared.frames, key=lambda frame: frame.priority)
        return {frame.tag: int(frame.bits.size) for frame in frames}

    @property
    def num_bytes(self) -> int:
        """Bytes of all units, headers of packets included."""
        return sum(self.sizes.values()) // 8


class Library:
    """Pictures by system, encoded when first asked for and remembered on disk.

    Args:
        images: float32 [3, H, W] each, by name.
        reference: System whose pictures say how many bytes the files of others may have.
        rho: Bandwidth ratio that it fills.
        design_esno_db: Es/N0 in dB that it codes for.
        metrics: Metrics to measure.
        cache: Where to remember.
        components: What to build systems and metrics from.
        annotations: What the data set states of each image.
    """

    def __init__(
        self,
        images: Mapping[str, torch.Tensor],
        reference: str,
        rho: float,
        design_esno_db: float,
        metrics: Sequence[str],
        cache: Cache,
        components: Components,
        annotations: Mapping[str, Annotation] | None = None,
    ) -> None:
        self.images, self.metrics = dict(images), tuple(metrics)
        self._reference, self._budget = reference, Budget(rho, design_esno_db)
        self._cache, self._components = cache, components
        self._known: dict[tuple[str, str], Sent] = {}
        fingerprint = fingerprint_of(components)
        stated = {name: (annotations or {}).get(name, UNANNOTATED) for name in images}
        self._scorers = {
            name: Scorer(img, Original.of(img).key(stated[name]), components.measure,
                         fingerprint, components.metric_identity, cache,
                         stated[name])
            for name, img in self.images.items()
        }  # fmt: skip

    def sent(self, system: str, image: str) -> Sent:
        """One picture as one system sends it."""
        if (system, image) not in self._known:
            self._known[system, image] = self._prepare(system, image)
        return self._known[system, image]

    def knows(self, system: str, image: str) -> bool:
        """Was a picture encoded before, so that `sent` only reads it?"""
        if self._is_file(system) and not self.knows(self._reference, image):
            return False
        return prepared_key(self._key(system, image)) in self._cache

    def _is_file(self, name: str) -> bool:
        """Is a system's picture one file of as many bytes as the reference's picture?"""
        separate = isinstance(load_system(self._components, name), Separate)
        return name != self._reference and separate

    def _limit(self, name: str, image: str) -> int | None:
        """Most bytes of a picture that is one file."""
        return self.sent(self._reference, image).num_bytes if self._is_file(name) else None

    def _key(self, name: str, image: str) -> str:
        scorer, budget = self._scorers[image], self._budget
        return digest(
            "timed", scorer.fingerprint, load_system(self._components, name).identity(),
            budget.rho, budget.design_esno_db, self._limit(name, image), scorer.img_digest,
        )  # fmt: skip

    def sizes(self, system: str) -> list[Mapping[str, int]]:
        """Payload bits of the units of each picture, in the order of the images.

        Raises:
            ScmcError: A picture does not fit, so there would be nothing to send.
        """
        found = [self.sent(system, image).sizes for image in self.images]
        for image, sizes in zip(self.images, found, strict=True):
            if not sizes:
                raise ScmcError(f"{system} cannot code {image} in so few bytes; raise rho")
        return found

    def tags(self, system: str) -> tuple[str, ...]:
        """Tags of a system's units over all pictures, the most urgent first."""
        longest = max(self.sizes(system), key=len)
        rest = {tag for sizes in self.sizes(system) for tag in sizes} - set(longest)
        return (*longest, *sorted(rest))

    def seen(self, system: str, image: str, delivered: frozenset[str]) -> Seen:
        """What a receiver makes of a delivered set, computed once."""
        sent = self.sent(system, image)
        tags = sent.prepared.usable(delivered)
        show = partial(load_system(self._components, system).reconstruct, sent.prepared, tags)
        key, scorer = digest("timed", sent.key, sorted(tags)), self._scorers[image]
        found = scorer.quality(key, self.metrics, show, True)
        png = self._cache.get(found.picture)
        assert png is not None
        return Seen(found.metrics, found.caption, png)

    def coding(self, system: str, image: str) -> Coding:
        """What measured times of a picture hold for."""
        height, width = self.images[image].shape[1:]
        budget = self._budget
        made_of = [load_system(self._components, name).identity() for name in self._makers(system)]
        return Coding(
            system, image, (int(height), int(width)), budget.rho, budget.design_esno_db,
            self._reference, digest(made_of, self._scorers[image].img_digest)[:16],
        )  # fmt: skip

    def _makers(self, system: str) -> tuple[str, ...]:
        """The systems on which a picture's coding depends."""
        return (system, self._reference) if self._is_file(system) else (system,)

    def measure(self, system: str, image: str) -> PictureTimes:
        """How long a system encodes and decodes a picture, measured now."""
        return measure_picture(
            load_system(self._components, system), self._encoding(system, image),
            self.coding(system, image),
        )  # fmt: skip

    def _encoding(self, name: str, image: str) -> Callable[[], Prepared]:
        """Encodes a picture."""
        img, system = self.images[image], load_system(self._components, name)
        limit = self._limit(name, image)
        if limit is None:
            return partial(system.prepare, img, self._budget)
        assert isinstance(system, Separate)
        return partial(file_of, system, img, limit)

    def _prepare(self, name: str, image: str) -> Sent:
        key, make = self._key(name, image), self._encoding(name, image)
        return Sent(key, prepare_cached(make, key, self._cache))


def file_of(system: Separate, img: torch.Tensor, max_bytes: int) -> Prepared:
    """A picture as one file of at most so many bytes, at the finest quality that fits.

    Args:
        system: The codec over one frame.
        img: float32 [3, H, W] in [0, 1].
        max_bytes: Of the file.
    """
    wide = Budget(MAX_RHO, design_esno_db=0.0)  # the link is the timed one: bytes are the limit
    return system.prepare_with(img, wide, MCS_GRID[-1], 8 * max_bytes)
