"""Training pictures as VVC's receiver has them, at random QPs and resolutions.

    python -m experiments.training.vvc_pairs --data DIR --cache DIR --count 2000

Writes ``vvc-SET-PICTURES/NUMBER.npz`` in chunks; those that are there are kept. Every chunk has one
QP and one resolution, drawn by its number. vvenc's preset is one faster than the rival's, which
costs 0.2 dB and saves two thirds of the time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import SIDE, CaptionedImages, load_sets, to_float, to_uint8
from experiments.training.vvc_batch import code_batch
from scmc_comm.baselines.enhance_net import FINEST_QP
from scmc_comm.baselines.reduced import resized
from scmc_comm.codec.vvc_stream import MAX_QP, VvcSettings
from scmc_comm.new_file import new_file

logger = logging.getLogger(__name__)

CHUNK = 16
CROP = 160
"""Side of what is kept of each picture; at full resolution no more is coded either."""
SETTINGS = VvcSettings(color=True, screen_content=False, preset="fast")


@dataclass(frozen=True)
class Resolution:
    """One of the resolutions of the rival.

    Attributes:
        divisor: How many times smaller the coded picture is.
        share: Of the chunks.
        finest: QP.
        coarsest: QP.
    """

    divisor: int
    share: float
    finest: int
    coarsest: int


RESOLUTIONS = (
    Resolution(1, 0.54, FINEST_QP, MAX_QP),
    Resolution(2, 0.24, FINEST_QP, 58),
    Resolution(4, 0.14, FINEST_QP, 52),
    Resolution(8, 0.06, FINEST_QP, 46),
    Resolution(16, 0.02, FINEST_QP, 42),
)
"""At small sizes finer QPs have the same rates."""
COARSE_EMPHASIS = 1.4
"""Coarse QPs are drawn more often the larger this is."""


@dataclass(frozen=True)
class Pairs:
    """Decoded pictures of one set.

    Attributes:
        decoded: uint8 [n, CROP, CROP, 3].
        index: Pictures of the set, int64 [n].
        top: First row of each crop, int64 [n].
        left: First column, int64 [n].
        qp: Of each, int64 [n].
        divisor: How many times smaller the coded picture was, int64 [n].
    """

    decoded: np.ndarray
    index: np.ndarray
    top: np.ndarray
    left: np.ndarray
    qp: np.ndarray
    divisor: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def crops(
        self, originals: CaptionedImages, rows: np.ndarray, side: int, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Random mirrored squares of the originals and of what was decoded.

        Returns:
            Originals and decoded pictures, float32 [b, 3, side, side] in [0, 1], and QPs and
            divisors, float32 [b].
        """
        real, seen = [], []
        for row in rows:
            down, across = rng.integers(0, CROP - side + 1, 2)
            step = -1 if rng.random() < 0.5 else 1
            top, left = self.top[row] + down, self.left[row] + across
            original = originals.pixels[self.index[row]]
            real.append(original[top : top + side, left : left + side][:, ::step])
            cut = self.decoded[row, down : down + side, across : across + side]
            seen.append(cut[:, ::step])
        qp, divisor = (torch.from_numpy(x[rows]).float() for x in (self.qp, self.divisor))
        return to_float(np.stack(real)), to_float(np.stack(seen)), qp, divisor


def draw_chunk(originals: CaptionedImages, number: int) -> dict[str, np.ndarray]:
    """The fields of `Pairs` of one chunk, always the same for a number."""
    rng = np.random.default_rng([number, len(originals)])
    how = RESOLUTIONS[rng.choice(len(RESOLUTIONS), p=[r.share for r in RESOLUTIONS])]
    share = rng.random() ** COARSE_EMPHASIS
    qp = round(how.coarsest - share * (how.coarsest - how.finest))
    index = rng.integers(len(originals), size=CHUNK)
    top, left = rng.integers(0, SIDE - CROP + 1, (2, CHUNK))
    pixels = originals.pixels[index]
    if how.divisor == 1:
        decoded = code_batch(_crops(pixels, top, left), qp, SETTINGS)[0]
    else:
        small = _resized(pixels, SIDE // how.divisor)
        decoded = _crops(_resized(code_batch(small, qp, SETTINGS)[0], SIDE), top, left)
    constant = {"qp": np.full(CHUNK, qp), "divisor": np.full(CHUNK, how.divisor)}
    return {"decoded": decoded, "index": index, "top": top, "left": left, **constant}


def _crops(pixels: np.ndarray, top: np.ndarray, left: np.ndarray) -> np.ndarray:
    places = zip(pixels, top, left, strict=True)
    return np.stack([picture[y : y + CROP, x : x + CROP] for picture, y, x in places])


def _resized(pixels: np.ndarray, side: int) -> np.ndarray:
    return to_uint8(torch.stack([resized(img, (side, side)) for img in to_float(pixels)]))


def write_pairs(originals: CaptionedImages, folder: Path, count: int) -> None:
    """Write so many decoded pictures, or a few more, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(-(-count // CHUNK)):
        path = folder / f"{number:05d}.npz"
        if path.is_file():
            continue
        chunk = draw_chunk(originals, number)
        with new_file(path) as part, part.open("wb") as file:
            np.savez(file, allow_pickle=False, **chunk)
        logger.info("%s: QP %d at 1/%d", path, chunk["qp"][0], chunk["divisor"][0])


def load_pairs(folder: Path) -> Pairs:
    """All that was written."""
    chunks = [dict(np.load(path)) for path in sorted(folder.glob("*.npz"))]
    return Pairs(**{key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]})


def pairs_folder(cache: Path, name: str, originals: CaptionedImages) -> Path:
    """Where the pairs of a set's pictures lie; others than these have another folder."""
    these = sha256("\0".join(originals.files).encode()).hexdigest()
    return cache / f"vvc-{name}-{these[:12]}"


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__)
    parser.add_argument("--count", type=int, default=2000, help="pictures of each set (2000)")
    args = script_arguments(parser, argv)
    for name, originals in load_sets(args.data, "train", args.cache).items():
        write_pairs(originals, pairs_folder(args.cache, name, originals), args.count)


if __name__ == "__main__":
    main()
