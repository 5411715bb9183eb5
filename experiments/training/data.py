"""Training pictures as one memory-mapped array, decoded once.

Which data sets there are and how they lie on disk: ``scmc_comm.datasets``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from scmc_comm import images
from scmc_comm.datasets import SPLITS, Picture, find_set, read_set
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

SIDE = 256

SETS = ("flowers256", "general256")
"""What the networks are trained on, unless `--data` is the folder of one set."""


@dataclass(frozen=True)
class CaptionedImages:
    """Pictures of one split and what is known of them in words.

    Attributes:
        pixels: uint8 [n, 256, 256, 3], memory-mapped.
        captions: One human caption per picture, the first, empty where there is none.
        class_names: Class name per picture, empty where there is none.
        files: File name of each picture.
        all_captions: All human captions of each picture: ten in some sets, none in others.
    """

    pixels: np.ndarray
    captions: tuple[str, ...]
    class_names: tuple[str, ...]
    files: tuple[str, ...]
    all_captions: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Pictures as float32 [b, 3, 256, 256] in [0, 1]."""
        return to_float(self.pixels[np.asarray(indices)])

    def blocks(self, size: int) -> Iterator[torch.Tensor]:
        """All pictures in order, at most ``size`` at a time, as :meth:`batch` gives them."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))


def to_float(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [b, H, W, 3] to float32 [b, 3, H, W] in [0, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)


def to_uint8(img: torch.Tensor) -> np.ndarray:
    """Float [b, 3, H, W] in [0, 1] to uint8 [b, H, W, 3], rounded."""
    return img.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def load_split(data: Path, name: str, split: str, cache: Path) -> CaptionedImages:
    """Load one split of a data set, decoding its pictures on the first call.

    Args:
        data: Folder that holds the data sets, or the folder of one, which then stands for every
            name that is asked for.
        name: Data set folder, for example ``flowers256``, or ``cub-200-2011`` or ``oxford-102``.
        split: ``train``, ``val`` or ``test``.
        cache: Folder for the decoded array. Pictures are kept as centre squares of 256 x 256.

    Raises:
        ScmcError: If there is no such data set, something of its layout is missing, the split has
            no pictures, or one cannot be read.
    """
    folder = find_set(data, name)
    every = read_set(folder)
    chosen = [p for p in every if p.split == split]
    if not chosen:
        counts = ", ".join(f"{sum(p.split == s for p in every)} in {s}" for s in SPLITS)
        raise ScmcError(f"data set {folder} has no pictures in split {split!r}; it has {counts}")
    stem = f"{folder.resolve().name}-{split}-{SIDE}"
    return CaptionedImages(
        pixels=_decoded(chosen, cache, stem),
        captions=tuple(p.captions[0] if p.captions else "" for p in chosen),
        class_names=tuple(p.class_name for p in chosen),
        files=tuple(p.name for p in chosen),
        all_captions=tuple(p.captions for p in chosen),
    )


def evenly(total: int, count: int | None) -> list[int]:
    """Numbers of ``count`` pictures of a split, evenly spaced; all for None.

    Example:
        >>> evenly(10, 4)
        [0, 3, 6, 9]
    """
    spaced = np.linspace(0, total - 1, min(count or total, total))
    return [int(i) for i in spaced.round()]


def load_sets(
    data: Path, split: str, cache: Path, sets: Sequence[str] = SETS
) -> dict[str, CaptionedImages]:
    """A split of every set by name, once where one folder stands for all of them."""
    names: dict[Path, str] = {}
    for name in sets:
        names.setdefault(find_set(data, name), name)
    return {name: load_split(data, name, split, cache) for name in names.values()}


def _decoded(pictures: Sequence[Picture], cache: Path, stem: str) -> np.ndarray:
    """The cached array of these very pictures; a set that changed is decoded again."""
    array, made_of = cache / f"{stem}.npy", cache / f"{stem}.sha256"
    key = _fingerprint(pictures)
    if not array.is_file() or not made_of.is_file() or made_of.read_text(encoding="utf-8") != key:
        cache.mkdir(parents=True, exist_ok=True)
        part = array.with_suffix(f".{os.getpid()}.part")
        try:
            _decode(pictures, part, stem)
            made_of.unlink(missing_ok=True)  # a kill in between leaves no array with a wrong key
            part.replace(array)
        finally:
            part.unlink(missing_ok=True)
        made_of.write_text(key, encoding="utf-8")
    pixels: np.ndarray = np.load(array, mmap_mode="r")
    return pixels


def _fingerprint(pictures: Sequence[Picture]) -> str:
    digest = sha256()
    for picture in pictures:
        if not picture.path.is_file():
            raise ScmcError(f"the data set names picture {picture.name}, but no {picture.path}")
        digest.update(f"{picture.name}\0{picture.path.stat().st_size}\0".encode())
    return digest.hexdigest()


def _decode(pictures: Sequence[Picture], path: Path, stem: str) -> None:
    shape = (len(pictures), SIDE, SIDE, 3)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for i, picture in enumerate(tqdm(pictures, desc=f"decoding {stem}")):
        out[i] = images.to_uint8(images.load_square(picture.path, SIDE))
    out.flush()
