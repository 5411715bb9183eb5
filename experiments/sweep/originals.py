"""The pictures of a run: read when their pixels are needed, so that any number of them fits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from experiments.execution.cache import digest
from scmc_comm.errors import ScmcError
from scmc_comm.notices import without_notices
from scmc_comm.types import UNANNOTATED, Annotation

_KEPT = 2  # the one that a worker has, and the next
_SHOWN_FROM = 100  # reading so many takes seconds


@dataclass(frozen=True, eq=False)
class Original:
    """A picture by its size and content; it travels between processes with its pixels.

    Attributes:
        name: For errors.
        size: Height and width in pixels.
        content: Content key of the pixels.
        read: Gives float32 [3, H, W] in [0, 1], the same each time.

    Example:
        >>> Original.of(torch.zeros(3, 2, 4)).size
        (2, 4)
    """

    name: str
    size: tuple[int, int]
    content: str
    read: Callable[[], torch.Tensor] = field(repr=False)

    @classmethod
    def of(cls, img: torch.Tensor, name: str = "") -> Original:
        """A picture that is in memory."""
        return cls.read_by(lambda: img, name)

    @classmethod
    def read_by(cls, read: Callable[[], torch.Tensor], name: str) -> Original:
        """A picture that is read now to know it, and again when it is needed."""
        img = read()
        return cls(name, (int(img.shape[1]), int(img.shape[2])), _content(img), read)

    @property
    def img(self) -> torch.Tensor:
        """The pixels, float32 [3, H, W] in [0, 1].

        Raises:
            ScmcError: They cannot be read, or are not those that were read at first.
        """
        return _pixels(self)

    def key(self, annotation: Annotation = UNANNOTATED) -> str:
        """Content key of the picture and of what is stated of it, which its scores depend on."""
        if annotation == UNANNOTATED:
            return self.content
        return digest(self.content, asdict(annotation))

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self.name, self.size, self.content, self.img.numpy())


def originals(images: Mapping[str, torch.Tensor], progress: bool = False) -> dict[str, Original]:
    """Each picture of a mapping, which may read them when they are looked up, by name.

    Args:
        images: Pictures float32 [3, H, W] in [0, 1].
        progress: Show a progress bar where there are many.

    Raises:
        ScmcError: One cannot be read.
    """
    names: Iterable[str] = images
    if progress and len(images) >= _SHOWN_FROM:
        names = tqdm(images, "reading", unit="picture", leave=False)
    return {name: Original.read_by(functools.partial(itemgetter(name), images), name)
            for name in names}  # fmt: skip


def sizes_of(pictures: Mapping[str, Original]) -> dict[str, tuple[int, int]]:
    """Height and width of each picture in pixels."""
    return {name: picture.size for name, picture in pictures.items()}


def _arrived(name: str, size: tuple[int, int], content: str, pixels: np.ndarray) -> Original:
    return Original(name, size, content, functools.partial(torch.from_numpy, pixels))


def _content(img: torch.Tensor) -> str:
    array = np.ascontiguousarray(img.numpy())
    return digest(list(array.shape), str(array.dtype), array.tobytes())


@functools.lru_cache(maxsize=_KEPT)
def _pixels(picture: Original) -> torch.Tensor:
    with without_notices():  # they were told when it was first read
        img = picture.read()
    if _content(img) != picture.content:
        raise ScmcError(
            f"picture {picture.name} is not what it was when the run began: its file was changed; "
            "start the run again"
        )
    return img
