"""Sets of images by name: the built-in photographs, folders, and splits of data sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from channels.plugins import notice
from channels.specs import read_value, type_name
from scmc_comm.datasets import SPLITS, read_set
from scmc_comm.datasets.named_sets import DATASETS, ImageSource, NamedImage, check_name, count_of
from scmc_comm.datasets.pictures import picture_files
from scmc_comm.errors import ScmcError
from scmc_comm.images import (
    PHOTOS,
    SUFFIXES,
    load_image,
    load_square,
)
from scmc_comm.models import DATA_ENV, folder_of
from scmc_comm.ranges import ImageSide
from scmc_comm.types import MIN_SIDE, UNANNOTATED, Annotation

_SIDES = re.compile(r"(?P<source>.+)@(?P<sides>\d+(\+\d+)*)")


def _say_of_folder(source: str) -> None:
    if _path(source).is_dir():
        notice(
            f"images {source} is the set of that name, not the folder {source} that is here too; "
            f"write ./{source} for the folder"
        )


def image_set(
    source: str | Path, num_images: int | None = None, side: int | None = None
) -> list[NamedImage]:
    """A set of images in the order of their names.

    Args:
        source: ``"photos"`` for the built-in photographs or the name of a plug-in's set, else a
            folder (a ``Path`` always is one) here or in ``$SCMC_DATA``, or one picture file, or
            ``FOLDER:test``: a split (train, val, test) of the data set in the folder, see
            `scmc_comm.datasets`. With ``@SIDE`` behind it each is cropped to that side,
            with ``@SIDE+SIDE`` to several, and names end in ``@SIDE``.
        num_images: Only so many: the first of the source, or of a split, which is often sorted by
            class, every n-th; None for all. If there are fewer, all are taken, with a notice.
        side: Crop each to the centre square of this side (short side scaled by Lanczos). None
            keeps files as they are, and photographs at 256.

    Returns:
        At least one image. Files other than pictures (see `SUFFIXES`), hidden files and
        sub-folders are passed over.

    Raises:
        ScmcError: if there is no such set or folder, it holds no pictures or two of one name, or
            one cannot be read.

    Example:
        >>> [(x.name, x.img.shape[1]) for x in image_set("photos@32+64", 1)]
        [('astronaut@32', 32), ('astronaut@64', 64)]
    """
    return list(each_image(source, num_images, side))


def each_image(
    source: str | Path, num_images: int | None = None, side: int | None = None
) -> Iterator[NamedImage]:
    """The images of `image_set` one after the other: of files only one is in memory.

    Raises:
        ScmcError: as `image_set`, when its turn comes.

    Example:
        >>> next(each_image("photos@32")).name
        'astronaut@32'
    """
    for found in image_sources(source, num_images, side):
        yield NamedImage(found.name, found.read(), found.annotation)


class LazyImages(Mapping[str, torch.Tensor]):
    """The images of `image_set` by name, of which each is read anew when it is looked up.

    Args:
        source: As `image_set`.
        num_images: As `image_set`.

    Raises:
        ScmcError: As `image_set`; where one cannot be read, when it is looked up.

    Example:
        >>> LazyImages("photos@32")["astronaut@32"].shape
        torch.Size([3, 32, 32])
    """

    def __init__(self, source: str | Path, num_images: int | None = None) -> None:
        self._sources = {found.name: found for found in image_sources(source, num_images)}

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._sources[name].read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


def image_sources(
    source: str | Path, num_images: int | None = None, side: int | None = None
) -> Iterator[ImageSource]:
    """The images of `image_set`, none of which is read yet.

    Raises:
        ScmcError: as `image_set`, but for what cannot be read.

    Example:
        >>> [found.name for found in image_sources("photos@32", 2)]
        ['astronaut@32', 'chelsea@32']
    """
    if not str(source).strip():
        raise ScmcError("the name of the images is empty; give a folder, or ./ for the one here")
    if num_images is not None and num_images < 1:
        raise ScmcError(f"num_images is {num_images}; expected 1 or more")
    if side is not None and side < MIN_SIDE:
        raise ScmcError(f"side is {side}; expected {MIN_SIDE} pixels or more")
    several = _SIDES.fullmatch(str(source))
    if several and side is None and not _path(source).exists():
        for own in map(int, several["sides"].split("+")):
            for found in image_sources(several["source"], num_images, own):
                yield replace(found, name=f"{found.name}@{own}")
    elif isinstance(source, str) and source in DATASETS:
        _say_of_folder(source)
        yield from DATASETS[source](num_images, side)
    else:
        for f, annotation in _chosen(source, num_images):
            read = partial(load_image, f) if side is None else partial(load_square, f, side)
            yield ImageSource(f.name, read, annotation)


def annotations_of(source: str | Path, num_images: int | None = None) -> dict[str, Annotation]:
    """What the data set states of each image of `image_set`, by name, without reading pictures.

    Of a set that has a name, nothing is stated.

    Raises:
        ScmcError: as `image_set`.

    Example:
        >>> annotations_of("photos@32", 1)["astronaut@32"].captions
        ()
    """
    several = _SIDES.fullmatch(str(source))
    if several and not _path(source).exists():
        found = annotations_of(several["source"], num_images)
        sides = several["sides"].split("+")
        return {f"{name}@{side}": found[name] for side in sides for name in found}
    if isinstance(source, str) and source in DATASETS:
        names = PHOTOS if source == "photos" else [x.name for x in DATASETS[source](None, None)]
        return dict.fromkeys(names[:num_images], UNANNOTATED)
    return {file.name: annotation for file, annotation in _chosen(source, num_images)}


def _chosen(source: str | Path, num_images: int | None) -> list[tuple[Path, Annotation]]:
    """So many files of a source, each with its annotation; see `image_set`."""
    files = list(_picture_files(source).items())
    count = count_of(source, len(files), num_images)
    every = len(files) / count if _split_of(source) else 1
    chosen = [files[int(every * n)] for n in range(count)]
    for file, _ in chosen:
        check_name(file.name, str(source))
    return chosen


def set_size(source: str | Path) -> int:
    """How many images the source of `image_set` has, without reading them.

    Raises:
        ScmcError: if there is no such set or folder, or it holds no pictures.

    Example:
        >>> set_size("photos") == len(PHOTOS) == set_size("photos@64+128")
        True
    """
    several = _SIDES.fullmatch(str(source))
    if several and not _path(source).exists():
        return set_size(several["source"])
    if isinstance(source, str) and source in DATASETS:
        return len(PHOTOS) if source == "photos" else len(DATASETS[source](None, None))
    return len(_picture_files(source))


def side_of(name: str) -> int | None:
    """The side that a name of `image_set` ends in, or None.

    Example:
        >>> side_of("astronaut@64"), side_of("astronaut")
        (64, None)

    Raises:
        ScmcError: The side is none that a picture can have.
    """
    found = re.search(r"@(\d+)$", name)
    if found is None:
        return None
    try:
        return int(read_value(found[1], ImageSide))
    except ValueError:
        raise ScmcError(
            f"images {name!r} would have a side of {found[1]} pixels; expected "
            f"{type_name(ImageSide)}"
        ) from None


def _path(source: str | Path) -> Path:
    """Of a source: as it is written, or else below the folder that ``$SCMC_DATA`` names.

    Its ``~`` is the user's home; one without a home names nothing.
    """
    try:
        path = Path(source).expanduser()
    except RuntimeError:
        path = Path(source)
    data = folder_of(DATA_ENV)
    below = path if data is None else data / path
    return below if below.exists() and not path.exists() else path


def _split_of(source: str | Path) -> tuple[Path, str] | None:
    """Folder and split of ``FOLDER:SPLIT``."""
    folder, colon, split = str(source).rpartition(":")
    home = _path(folder)
    return (home, split) if colon and split in SPLITS and home.is_dir() else None


def _picture_files(source: str | Path) -> dict[Path, Annotation]:
    """Files in order, each with what its data set states; of folders without a table nothing."""
    if found := _split_of(source):
        folder, split = found
        pictures = [picture for picture in read_set(folder) if picture.split == split]
        if not pictures:
            raise ScmcError(f"data set {folder} has no pictures in split {split!r}")
        _check_names(folder, {picture.path for picture in pictures})
        return {p.path: Annotation(p.class_name, p.captions) for p in pictures}
    source = _path(source)
    if source.is_file():
        return {source: UNANNOTATED}
    if not source.is_dir():
        raise ScmcError(
            f"no image set, folder or picture {str(source)!r}, here or in the folder that "
            f"{DATA_ENV} names; sets are {', '.join(DATASETS)}"
        )
    files = picture_files(source)
    if not files:
        raise ScmcError(f"folder {source} holds no pictures; expected {', '.join(SUFFIXES)}")
    return dict.fromkeys(files, UNANNOTATED)


def _check_names(folder: Path, files: set[Path]) -> None:
    """Results are kept by the names of files, whatever folder of the data set they lie in."""
    known: dict[str, Path] = {}
    for file in sorted(files):
        if (other := known.setdefault(file.name, file)) != file:
            raise ScmcError(
                f"data set {folder} has two pictures called {file.name}, {other} and {file}; "
                "rename one of them"
            )
