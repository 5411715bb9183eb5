"""Images with a name, and sets of them by name: the built-in photographs and those of plug-ins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from channels.plugins import Plugin, notice
from channels.registry import Registry
from scmc_comm.errors import ScmcError
from scmc_comm.images import PHOTO_SIDE, PHOTOS, load_image, load_photo, load_square, square
from scmc_comm.types import UNANNOTATED, Annotation


@dataclass(frozen=True)
class NamedImage:
    """An image of a set.

    Attributes:
        name: Unique in its set: the photograph's name, or the file's name; printable text.
        img: float32 [3, H, W] in [0, 1].
        annotation: What its data set states of it.
    """

    name: str
    img: torch.Tensor
    annotation: Annotation = UNANNOTATED

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class ImageSource:
    """An image of a set before it is read.

    Attributes:
        name: As `NamedImage`.
        read: Gives float32 [3, H, W] in [0, 1]; ScmcError if it cannot be read.
        annotation: What its data set states of it.
    """

    name: str
    read: Callable[[], torch.Tensor]
    annotation: Annotation = UNANNOTATED

    def __post_init__(self) -> None:
        check_name(self.name)


def check_name(name: object, where: str = "a set") -> None:
    """Refuses the name of a picture that tables, stores and pages could not show.

    Args:
        name: Half a character (a file name that is not UTF-8), line ends, control characters and
            marks of writing direction are refused.
        where: Its folder or set, for the error.

    Raises:
        ScmcError: It is no text, empty, or not printable.
    """
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ScmcError(
            f"the name of picture {name!a} in {where} is not printable UTF-8, which tables and "
            "stores need; rename it"
        )


ImageSet = Callable[[int | None, int | None], list[ImageSource]]


def _photos(num_images: int | None, side: int | None) -> list[ImageSource]:
    """The built-in photographs."""
    chosen = PHOTOS[: count_of("photos", len(PHOTOS), num_images)]
    return [ImageSource(n, partial(load_photo, n, side or PHOTO_SIDE)) for n in chosen]


def _plugin_set(plugin: Plugin) -> ImageSet:
    """A plug-in's function, which gives pictures or picture files by name."""

    def images(num_images: int | None, side: int | None) -> list[ImageSource]:
        found = plugin.component()
        if not isinstance(found, Mapping) or not found:
            raise ScmcError(
                f"data set {plugin.name!r} gave {type(found).__name__}; expected pictures "
                "[3, H, W] in [0, 1], or paths of pictures, by name"
            )
        named = dict(zip(_names(plugin.name, found), found.values(), strict=True))
        chosen = list(named.items())[: count_of(plugin.name, len(found), num_images)]
        return [ImageSource(name, partial(_picture, name, value, side)) for name, value in chosen]

    return images


def _names(source: str, found: Mapping[Any, object]) -> list[str]:
    """The names of a plug-in's pictures as text, which results are kept by."""
    wrong = [name for name in found if isinstance(name, bool) or not isinstance(name, str | int)]
    if wrong:
        raise ScmcError(
            f"data set {source!r} calls a picture {wrong[0]!r}, {type(wrong[0]).__name__}; "
            "expected text, or whole numbers"
        )
    names = [str(name) for name in found]
    for name in names:
        check_name(name, f"data set {source!r}")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ScmcError(f"data set {source!r} has two pictures called {twice[0]}; rename one")
    return names


def _picture(name: str, value: object, side: int | None) -> torch.Tensor:
    if isinstance(value, str | Path):
        return load_image(Path(value)) if side is None else load_square(Path(value), side)
    try:
        img = torch.as_tensor(value).float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ScmcError(
            f"picture {name!r} is {type(value).__name__}; expected [3, H, W] in [0, 1], or a path"
        ) from error
    if img.ndim != 3 or img.shape[0] != 3 or min(img.shape) == 0:
        raise ScmcError(f"picture {name!r} is {list(img.shape)}; expected [3, H, W] in [0, 1]")
    low, high = float(img.min()), float(img.max())
    if not 0 <= low <= high <= 1:
        raise ScmcError(
            f"picture {name!r} has values from {low:g} to {high:g}; expected 0 to 1 (divide 8-bit "
            "values by 255)"
        )
    return img if side is None else square(img, side)


DATASETS: Registry[ImageSet] = Registry("dataset", {"photos": _photos}, _plugin_set)
"""Sets by name: functions of how many pictures are wanted and of their side."""


def count_of(source: object, found: int, wanted: int | None) -> int:
    """How many images are taken; with a notice where there are fewer than were asked for."""
    if wanted is not None and found < wanted:
        notice(f"{source} has {found} images of the {wanted} asked for; all are taken")
    return found if wanted is None else min(found, wanted)
