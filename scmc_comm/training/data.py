"""Training pictures as one memory-mapped array, decoded once.

``DIR`` holds one folder per data set, each with ``images/`` and ``captions.csv`` (columns
``file``, ``split``, ``caption`` and, where known, ``class_name``).
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

SIDE = 256


@dataclass(frozen=True)
class CaptionedImages:
    """Pictures of one split and what is known of them in words.

    Attributes:
        pixels: uint8 [n, 256, 256, 3], memory-mapped.
        captions: One human caption per picture, empty where there is none.
        class_names: Class name per picture, empty where there is none.
        files: File name of each picture.
    """

    pixels: np.ndarray
    captions: tuple[str, ...]
    class_names: tuple[str, ...]
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Pictures as float32 [b, 3, 256, 256] in [0, 1]."""
        return to_float(self.pixels[np.asarray(indices)])


def to_float(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [b, H, W, 3] to float32 [b, 3, H, W] in [0, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)


def to_uint8(img: torch.Tensor) -> np.ndarray:
    """Float [b, 3, H, W] in [0, 1] to uint8 [b, H, W, 3], rounded."""
    return img.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def load_split(data: Path, name: str, split: str, cache: Path) -> CaptionedImages:
    """Load one split of ``data/name``, decoding its pictures on the first call.

    Args:
        data: Folder that holds the data sets.
        name: Data set folder, for example ``flowers256``.
        split: ``train``, ``val`` or ``test``.
        cache: Folder for the decoded array.

    Raises:
        ScmcError: If the folder lacks ``captions.csv`` or a picture it names.
    """
    folder = data / name
    table = folder / "captions.csv"
    if not table.is_file():
        raise ScmcError(f"no {table}; expected a folder with images/ and captions.csv (--data DIR)")
    with table.open(newline="") as f:
        rows = [r for r in csv.DictReader(f) if r["split"] == split]
    cache.mkdir(parents=True, exist_ok=True)
    array = cache / f"{name}-{split}-{SIDE}.npy"
    if not array.is_file():
        _decode(folder, [r["file"] for r in rows], array)
    return CaptionedImages(
        pixels=np.load(array, mmap_mode="r"),
        captions=tuple(r.get("caption") or "" for r in rows),
        class_names=tuple(r.get("class_name") or "" for r in rows),
        files=tuple(r["file"] for r in rows),
    )


def _decode(folder: Path, files: list[str], array: Path) -> None:
    logger.info("decoding %d pictures of %s", len(files), folder)
    part = array.with_suffix(".part.npy")
    out = np.lib.format.open_memmap(
        part, mode="w+", dtype=np.uint8, shape=(len(files), SIDE, SIDE, 3)
    )
    for i, name in enumerate(files):
        path = folder / "images" / name
        if not path.is_file():
            raise ScmcError(f"{folder / 'captions.csv'} names {name}, but there is no {path}")
        with Image.open(path) as img:
            rgb = img.convert("RGB")
            if rgb.size != (SIDE, SIDE):
                rgb = rgb.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            out[i] = np.asarray(rgb)
    out.flush()
    del out
    part.rename(array)
