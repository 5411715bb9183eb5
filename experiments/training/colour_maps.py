"""Colour maps of the training pictures as the structure layer's receiver has them, bit-exactly.

    python -m experiments.training.colour_maps --data DIR --cache DIR --qp 57

Writes ``colours-SET-SPLIT-QP-maps.npy``, uint8 [n, 128, 128, 3], and the sizes in bytes beside it.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch.nn import functional as F

from experiments.training.captioner_features import SETS
from experiments.training.data import CaptionedImages, load_split, to_uint8
from experiments.training.vvc_batch import code_batch
from scmc_comm.codec.vvc_stream import VvcSettings, split_units

logger = logging.getLogger(__name__)

SIDE = 128
_CHUNK = 128
_SETTINGS = VvcSettings(color=True, screen_content=False)
_PARAMETER_SETS = (12, 13, 14, 15, 16, 20)
"""Types of the units that a slim stream leaves out, delimiters among them."""


def code(maps: np.ndarray, qp: int) -> tuple[np.ndarray, list[int]]:
    """Decoded maps uint8 [n, 128, 128, 3], and their sizes in bytes without parameter sets."""
    decoded, stream = code_batch(maps, qp, _SETTINGS)
    sizes, size = [], 0
    for unit in split_units(stream):
        kind = unit[1] >> 3
        size += 0 if kind in _PARAMETER_SETS else len(unit)
        if kind < _PARAMETER_SETS[0]:  # the picture itself, after its loop filter sets
            sizes.append(size)
            size = 0
    return decoded, sizes


def write(data: CaptionedImages, stem: Path, qp: int, count: int) -> None:
    """Colour maps of the first pictures of a split in random order; goes on where it was."""
    rows, sizes = (stem.with_name(f"{stem.name}-{part}.npy") for part in ("maps", "sizes"))
    done = np.load(sizes).tolist() if sizes.is_file() else []
    order = order_of(len(data))
    shape = (len(data), SIDE, SIDE, 3)
    mode = "r+" if rows.is_file() else "w+"
    out = np.lib.format.open_memmap(rows, mode=mode, dtype=np.uint8, shape=shape)
    while len(done) < min(count, len(data)):
        part = order[len(done) : min(len(done) + _CHUNK, count)]
        half = to_uint8(F.avg_pool2d(data.batch(part), 2))
        out[len(done) : len(done) + len(part)], more = code(half, qp)
        out.flush()
        done += more
        np.save(sizes, np.array(done))
        logger.info("%s: %d, %.1f bytes", stem.name, len(done), np.mean(done))


def order_of(count: int) -> np.ndarray:
    """The order in which a split's pictures are coded."""
    return np.random.default_rng(0).permutation(count)


def stem_of(cache: Path, name: str, split: str, qp: int) -> Path:
    """Where the maps of a split lie, without their endings."""
    return cache / f"colours-{name}-{split}-{qp}"


@dataclass(frozen=True)
class ColourMaps:
    """Colour maps of some pictures of a split.

    Attributes:
        rows: Which pictures of the split, int64 [n].
        maps: uint8 [n or more, 128, 128, 3].
        sizes: Bytes of each, int64 [n].
    """

    rows: np.ndarray
    maps: np.ndarray
    sizes: np.ndarray


def load_maps(cache: Path, name: str, split: str, qp: int) -> ColourMaps:
    """Colour maps that were written so far."""
    stem = stem_of(cache, name, split, qp)
    maps = np.load(stem.with_name(f"{stem.name}-maps.npy"), mmap_mode="r")
    sizes = np.load(stem.with_name(f"{stem.name}-sizes.npy"))
    return ColourMaps(order_of(len(maps))[: len(sizes)], maps, sizes)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="colour maps of the training pictures")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=Path, required=True, help="where maps are kept")
    parser.add_argument("--qp", type=int, default=57)
    parser.add_argument("--splits", default="val,train")
    parser.add_argument("--count", type=int, default=1 << 30, help="pictures of each split")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for split in args.splits.split(","):
        for name in SETS:
            data = load_split(args.data, name, split, args.cache)
            write(data, stem_of(args.cache, name, split, args.qp), args.qp, args.count)


if __name__ == "__main__":
    main()
