"""Pictures of a finished sweep: kept beside it, in the cache, or made again from its systems."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from PIL import Image

from channels.plugins import load, new_run
from experiments.execution.cache import Cache, default_cache_dir, digest
from experiments.sweep import store
from experiments.sweep.components import Components
from experiments.sweep.draws import DRAW
from experiments.sweep.originals import originals
from experiments.sweep.quality import picture_key, png_bytes
from experiments.sweep.runner import REAL, make_tasks
from experiments.sweep.spec import SweepSpec
from experiments.sweep.tasks import (
    Task,
    draws_key,
    prepare_design,
    show_draw,
    shown_key,
    system_of,
    task_designs,
)
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    import torch

_SHARE, _STEP = 0.02, 1 / 255
"""How far the mean squared error of 8-bit pixels may be from the store's: a share of it, and what
rounding both pictures adds."""


@dataclass(frozen=True)
class Place:
    """One delivered set of one preparation: indices of system, rho, image, design and set."""

    system: int
    rho: int
    image: int
    design: int
    delivered: int


@dataclass(frozen=True)
class Pictures:
    """What receivers of a sweep showed, delivered set by delivered set.

    A picture that has another mean squared error than the store says was made by other code or
    weights, and is refused.

    Attributes:
        ds: The result store, its SNRs rising.
        folder: The sweep's folder.
        cache_dir: Folder of finished work; None for the user's cache folder.
        components: What to build systems from.
    """

    ds: xr.Dataset
    folder: Path
    cache_dir: Path | None = None
    components: Components = field(default=REAL, repr=False)

    def original(self, image: int) -> bytes:
        """A picture that was sent, as PNG."""
        name = str(self.ds.image.values[image])
        path = store.original_path(self.folder, name)
        return path.read_bytes() if path.is_file() else png_bytes(self._images[name])

    def shown(self, place: Place) -> bytes:
        """What the receiver shows, as PNG.

        Raises:
            ScmcError: What the sweep was made of is not here any more, or makes another picture.
        """
        ds, at = self.ds, place
        names = str(ds.image.values[at.image]), str(ds.system.values[at.system])
        path = store.picture_path(self.folder, *names, at.rho, at.design, at.delivered)
        png = path.read_bytes() if path.is_file() else self._made(*names, at)
        self._check(png, at)
        return png

    @cached_property
    def _spec(self) -> SweepSpec:
        return SweepSpec.from_yaml(self.ds.attrs["spec_yaml"])

    @cached_property
    def _cache(self) -> Cache:
        return Cache((self.cache_dir or default_cache_dir()).absolute())

    @cached_property
    def _images(self) -> Mapping[str, torch.Tensor]:
        images = self.components.load_images(self._spec.images, self._spec.num_images)
        found, expected = list(images), list(map(str, self.ds.image.values))
        if found != expected:
            raise ScmcError(
                f"the images {self._spec.images!r} are now {', '.join(found)}; those of the sweep "
                f"were {', '.join(expected)}: run the sweep again"
            )
        return images

    @cached_property
    def _tasks(self) -> dict[tuple[str, str, int], Task]:
        """A task of each (image, system, index of rho); each knows all designs."""
        new_run()
        plugins = tuple(load(plugin) for plugin in self._spec.plugins)
        annotations = self.components.annotations(self._spec.images, self._spec.num_images)
        tasks = make_tasks(
            self._spec, originals(self._images), (), self._cache.folder, self.components,
            annotations=annotations, plugins=plugins,
        )  # fmt: skip
        return {(task.image, task.system, task.rho): task for task in tasks}

    def _made(self, image: str, system: str, at: Place) -> bytes:
        """From the cache, or made again and kept there."""
        task, tags = self._tasks[image, system, at.rho], str(self.ds.set.values[at.delivered])
        cell, prepared = prepare_design(task, at.design, self._cache)
        made = system_of(task)
        if made.analog:
            point = next(p for p, design in task_designs(task).of.items() if design == at.design)
            draw = int(tags.removeprefix(DRAW) or 0)
            key = digest("draw", draws_key(task, cell, point), (tags,) if tags else ())
            show = functools.partial(show_draw, task, prepared, point, draw)
        else:
            usable = prepared.usable(store.set_tags(tags))
            key = shown_key(task, prepared, usable)
            show = functools.partial(made.reconstruct, prepared, usable)
        png = self._cache.get(picture_key(key))
        if png is None:
            png = png_bytes(show().img_hat.detach())
            self._cache.put(picture_key(key), png)
        return png

    def _check(self, png: bytes, at: Place) -> None:
        found = float(np.mean((_pixels(png) - _pixels(self.original(at.image))) ** 2))
        where = {
            "system": at.system, "rho": at.rho, "image": at.image, "design": at.design,
            "set": at.delivered,
        }  # fmt: skip
        stored = float(store.set_table(self.ds, "mse").isel(where))
        if not abs(found - stored) <= _SHARE * stored + _STEP**2 / 4:
            raise ScmcError(
                f"a picture of {self.ds.image.values[at.image]} by "
                f"{self.ds.system.values[at.system]} has a mean squared error of {found:.3g}, the "
                f"store says {stored:.3g}: the sweep was made with other code, weights or "
                "pictures; run it again"
            )


def _pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as opened:
        return np.asarray(opened.convert("RGB"), np.float64) / 255
